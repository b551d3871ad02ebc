"""What a source is: text, or features read from a file."""

from nmt.data.source import array as array
from nmt.data.source import picture as picture
from nmt.data.source import sound as sound
from nmt.data.source import text as text
from nmt.data.source.family import FeatureSourceConfig as FeatureSourceConfig
from nmt.data.source.family import SourceConfig as SourceConfig
