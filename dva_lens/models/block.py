"""One block: an attention, and a feed-forward network where there is one."""

from typing import Any, final

from jaxtyping import Float
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint

from dva_lens.mechanisms.variant import LinearFactory
from dva_lens.models.attention import Attention, Inputs
from dva_lens.models.config import ModelConfig
from dva_lens.models.state import CrossLayerState

Stream = Float[Tensor, "batch position width"]
DEPTH = "depth average"


@final
class Block(nn.Module):
    """Add what attention and feed-forward network read off the normalised stream.

    A layer that does not attend has no `attn` but a `mixer`; what it writes passes through
    `hook_attn_out` all the same.

    With a depth average `hook_block_out` holds what the block returns, and `hook_resid_post` the
    average that the next block reads. Where there is no feed-forward network, whoever hooks one
    is shown one that writes nothing.
    """

    hook_out_is_single_residual_stream = True
    attn: Attention | None
    mixer: Any

    def __init__(
        self, config: ModelConfig, layer: int, linear: LinearFactory, switches: Any
    ) -> None:
        super().__init__()
        self.switches = switches
        self.ln1 = config.norm.build(config.shape)
        self.attn = self.mixer = None
        if config.attends(layer):
            self.attn = Attention(config, layer, linear, switches)
        else:
            self.mixer = config.mixer_of(layer).build(config.shape, linear)
        self.hook_resid_pre, self.hook_attn_in = HookPoint(), HookPoint()
        self.hook_attn_out, self.hook_resid_post = HookPoint(), HookPoint()
        self.mlp = config.feedforward.build(config.shape, linear)
        self.hook_mlp_in, self.hook_mlp_out = HookPoint(), HookPoint()
        if self.mlp is not None:
            self.ln2 = config.norm.build(config.shape)
            self.hook_resid_mid = HookPoint()
        self.average = config.depth_average.build(config.shape, layer)
        if self.average is not None:
            self.hook_block_out = HookPoint()

    def forward(self, stream: Stream, state: CrossLayerState) -> tuple[Stream, CrossLayerState]:
        """Return the stream for the next block."""
        before = self.hook_resid_pre(stream)
        if self.attn is None:
            written = self.mixer(self.ln1(before), state.segments)
        else:
            written, state = self.attn(self._inputs(self.attn, before), state)
        after = before + self.hook_attn_out(written)
        if self.mlp is not None:
            after = self.hook_resid_mid(after)
            after = after + self.hook_mlp_out(self.mlp(self.ln2(self._fed(after))))
        elif self.hook_mlp_in.has_hooks() or self.hook_mlp_out.has_hooks():
            after = after + self.hook_mlp_out(0 * self._fed(after))
        if self.average is not None:
            after, streams = self.average(before, self.hook_block_out(after), state.get(DEPTH))
            state = state.put(DEPTH, streams)
        return self.hook_resid_post(after), state

    def _fed(self, stream: Stream) -> Stream:
        """Return what the feed-forward network reads, as a copy where a tool wants to edit it."""
        return self.hook_mlp_in(stream.clone()) if self.switches.use_hook_mlp_in else stream

    def _inputs(self, attn: Attention, stream: Stream) -> Inputs:
        """Return the normalised stream, in one copy per head where a tool wants to edit those."""
        if self.switches.use_split_qkv_input:
            whole = self.ln1(stream)
            return Inputs(
                self.ln1(attn.hook_q_input(_copies(stream, attn.heads))),
                self.ln1(attn.hook_k_input(_copies(stream, attn.kv_heads))),
                self.ln1(attn.hook_v_input(_copies(stream, attn.kv_heads))),
                whole,
            )
        if self.switches.use_attn_in:
            whole = self.ln1(stream)
            copies = self.ln1(self.hook_attn_in(_copies(stream, attn.heads)))
            grouped = copies[:, :, :: attn.heads // attn.kv_heads]
            return Inputs(copies, grouped, grouped, whole)
        shared = self.ln1(stream)
        return Inputs(shared, shared, shared, shared)


def _copies(stream: Stream, heads: int) -> Float[Tensor, "batch position head width"]:
    return stream[:, :, None].expand(-1, -1, heads, -1).clone()
