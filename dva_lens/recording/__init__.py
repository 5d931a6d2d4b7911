"""From a running model to records, without interpreting a number."""

from dva_lens.recording.from_arrays import from_patterns, from_qk
from dva_lens.recording.from_cache import from_cache
from dva_lens.recording.record import attach, record

__all__ = ["attach", "from_cache", "from_patterns", "from_qk", "record"]
