"""Sizes of tiny models, by the names that configurations use."""

VOCABULARY = 128
FIRST_SPECIAL = 64
"""Special tokens of images, sound and the like get ids from here on; texts use those below."""

WORDS = (3, 60)
"""Token ids that no tiny configuration uses for anything special."""

DEPTH, WIDTH, HEADS, SHARED_HEADS, HEAD_WIDTH, HIDDEN, POSITIONS = 2, 32, 4, 2, 8, 48, 64


def _named(value: int, names: str) -> dict[str, int]:
    return dict.fromkeys(names.split(), value)


SIZES: dict[str, int] = {
    **_named(
        DEPTH,
        "num_hidden_layers n_layer n_layers num_layers layers depth encoder_layers decoder_layers "
        "num_encoder_layers num_decoder_layers speech_encoder_layers t2u_encoder_layers "
        "t2u_decoder_layers resampler_depth num_blocks",
    ),
    **_named(
        WIDTH,
        "hidden_size d_model n_embd embed_dim dim emb_dim embedding_size word_embed_proj_dim "
        "vision_hidden_size encoder_hidden_size decoder_hidden_size hidden_dim text_hidden_size "
        "out_hidden_size projector_hidden_size projection_dim text_embed_dim image_embed_dim "
        "pooler_hidden_size embedding_dim input_embedding_size output_embedding_size "
        "hidden_size_global d_latents patch_embed_hidden_size entity_emb_size output_dim "
        "projection_hidden_size lru_width attention_hidden_size resampler_hidden_size "
        "moe_hidden_size projector_output_dim projector_input_dim image_text_hidden_size "
        "vision_output_dim mm_embed_dim image_token_embed_dim audio_embed_dim dim_model_base",
    ),
    **_named(
        HEADS,
        "num_attention_heads n_head n_heads num_heads encoder_attention_heads "
        "decoder_attention_heads attention_heads num_encoder_attention_heads "
        "num_decoder_attention_heads swa_num_attention_heads resampler_n_heads resampler_heads "
        "num_self_attention_heads num_cross_attention_heads linear_num_heads",
    ),
    **_named(
        SHARED_HEADS,
        "num_key_value_heads kv_n_heads swa_num_key_value_heads num_kv_heads "
        "multi_query_group_num resampler_num_key_value_heads",
    ),
    **_named(
        HEAD_WIDTH,
        "head_dim d_kv d_head attention_head_size swa_head_dim resampler_head_dim kv_channels "
        "linear_head_dim global_head_dim dim_head q_lora_rank kv_lora_rank qk_rope_head_dim "
        "qk_nope_head_dim v_head_dim index_head_dim mamba_d_state state_size mamba_d_head "
        "mamba_head_dim ssm_state_size linear_key_head_dim linear_value_head_dim "
        "attention_window attention_chunk_size rotary_dim",
    ),
    **_named(
        HIDDEN,
        "intermediate_size ffn_dim d_ff dff encoder_ffn_dim decoder_ffn_dim n_inner d_inner "
        "moe_intermediate_size ffn_hidden_size mlp_dim shared_expert_intermediate_size "
        "shared_intermediate_size intermediate_size_mlp block_ff_dim dim_ff share_expert_dim "
        "expert_ffn_hidden_size dense_intermediate_size moe_shared_expert_intermediate_size "
        "feed_forward_size shared_experts_intermediate_size alignment_intermediate_size "
        "projection_intermediate_size",
    ),
    **_named(
        VOCABULARY,
        "vocab_size entity_vocab_size src_vocab_size tgt_vocab_size vocab_size_per_layer_input "
        "char_vocab_size unpadded_vocab_size ngram_vocab_size_base pronunciation_vocab_size "
        "shape_vocab_size encoder_hash_byte_group_vocab",
    ),
    **_named(
        POSITIONS,
        "max_position_embeddings n_positions n_ctx max_seq_len max_sequence_length seq_length "
        "seq_len context_length original_max_position_embeddings index_topk "
        "max_encoder_position_embeddings max_decoder_position_embeddings max_source_positions "
        "max_target_positions block_size t2u_max_position_embeddings max_vit_seq_len",
    ),
    **_named(16, "image_size"),
    **_named(
        4,
        "mm_tokens_per_image patch_size num_experts num_local_experts n_routed_experts "
        "moe_num_experts",
    ),
    **_named(4, "mamba_n_heads mamba_num_heads"),
    **_named(3, "num_channels"),
    **_named(2, "num_experts_per_tok moe_topk moe_top_k moe_k num_experts_per_token"),
    **_named(2, "index_n_heads linear_num_key_heads linear_num_value_heads"),
    **_named(1, "n_group topk_group n_groups n_shared_experts"),
    **_named(5, "sliding_window sliding_window_size"),
    **_named(0, "num_kv_shared_layers hidden_size_per_layer_input"),
}
"""What a field is set to where its class gives a number, or nothing, by default."""

ABSENT = (
    "sliding_window", "q_lora_rank", "num_experts", "num_local_experts", "n_inner",
    "attention_chunk_size", "num_key_value_heads", "moe_intermediate_size",
    "hidden_size_per_layer_input",
)  # fmt: skip
"""Fields that mean something else where they are not set; they stay so."""
