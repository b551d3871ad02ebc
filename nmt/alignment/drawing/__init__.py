"""Pictures of alignments: figures by matplotlib, inline SVG, terminal."""
