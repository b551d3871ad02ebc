"""The model: memory, encoders, attention, decoders, readout, and the sequence-to-sequence model they make up.

Importing this package registers the members of its families.
"""

from nmt.model import attention as attention
from nmt.model import decoder as decoder
from nmt.model import encoder as encoder
