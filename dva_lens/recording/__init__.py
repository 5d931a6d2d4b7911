"""From a running model to records, without interpreting a number."""

from dva_lens.recording.given import from_patterns, from_qk
from dva_lens.recording.passes import attach, record
from dva_lens.recording.transformerlens import from_cache

__all__ = ["attach", "from_cache", "from_patterns", "from_qk", "record"]
