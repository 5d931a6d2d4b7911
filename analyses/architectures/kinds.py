"""What single types of configurations need beside sizes, or in place of them."""

from typing import Any

LAYERS = "layer_types"
SEVERAL_AXES = (
    "qwen2_vl_text", "qwen2_5_vl_text", "glm4v_text", "glm_ocr_text", "qwen2_5_omni_text",
    "qwen3_omni_moe_text", "hunyuan_vl_text", "cosmos3_edge_text", "paddleocr_vl_text",
)  # fmt: skip
"""Types whose rotary positions are of several axes: time, rows and columns."""
STAGES = (16, 32, 48, 64)
ROTARY = {"rope_type": "default", "rope_theta": 1e4}
AXES = {**ROTARY, "mrope_section": [2, 1, 1]}

WINDOWS = {
    "embed_dim": 12, "num_heads": (1, 2), "depths": (1, 1), "window_size": 2, "image_size": 32
}  # fmt: skip

TYPES: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1]},
    "bit": {"hidden_sizes": STAGES, "depths": (1, 1, 1, 1), "num_groups": 4},
    "chameleon": {"vocabulary_map": {"<image>": 70}},
    "convnext": {"hidden_sizes": STAGES, "depths": (1, 1, 1, 1), "image_size": 64},
    "convnextv2": {"hidden_sizes": STAGES, "depths": (1, 1, 1, 1), "image_size": 64},
    "resnet": {"embedding_size": 16, "hidden_sizes": STAGES, "depths": (1, 1, 1, 1)},
    **dict.fromkeys(("swin", "swinv2", "donut-swin"), WINDOWS),
    "granitemoehybrid": {LAYERS: ["mamba", "attention"], "mamba_n_heads": 4, "mamba_d_head": 16},
    "efficientnet": {"width_coefficient": 0.25, "depth_coefficient": 0.25, "hidden_dim": 64},
    "gemma3n_text": {"hidden_size_per_layer_input": 8, "laurel_rank": 4},
    "layoutlmv3": {"coordinate_size": 4, "shape_size": 8, "max_2d_position_embeddings": 64},
    "lilt": {"hidden_size": 48},
    "glm4v_moe_text": {"rope_parameters": {**ROTARY, "mrope_section": [1, 1, 0]}},
    "gemma4_text": {"hidden_size_per_layer_input": 0},
    "gemma4_assistant": {"hidden_size_per_layer_input": 0},
    "jamba": {
        "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2,
        "expert_layer_offset": 1,
    },
    "neomme": {"head_dim": 16},
    "molmo2_vision": {"image_size": [16, 16], "num_position_embeddings": 16},
    "molmo2_adapter": {"vision_feature_layer": [-1, -2]},
    "esm": {"pad_token_id": 0, "mask_token_id": 70},
    "xmod": {"languages": ("en_XX",), "default_language": "en_XX"},
    "zamba": {
        "num_hidden_layers": 3, "layers_block_type": ["mamba", "hybrid", "hybrid"],
        "attention_hidden_size": 64, "attention_head_dim": 16,
    },
    "blip-2": {"image_token_index": 70},
    "qwen2_5_omni_thinker": {"vision_start_token_id": 70},
    "qwen3_omni_moe_thinker": {"vision_start_token_id": 70},
    "zamba2": {"layers_block_type": ["mamba", "hybrid"]},
    "gemma4_unified_text": {"num_kv_shared_layers": 0},
    "emu3": {"vocabulary_map": {"<image>": 70, "<|extra_200|>": 71}},
    "emu3_vqgan": {"base_channels": 32, "channel_multiplier": (1, 1), "codebook_size": 128},
    "janus_vqgan": {"base_channels": 32, "channel_multiplier": (1, 1), "num_embeddings": 128},
    "glm5_next_text": {"num_key_value_heads": 4, "qk_rope_head_dim": 0},
    "florence_vision": {
        "depths": (1, 1), "patch_size": (3, 3), "patch_stride": (4, 2), "patch_padding": (1, 1),
        "patch_prenorm": (False, True), "embed_dim": (16, 32), "num_heads": (2, 4),
        "num_groups": (2, 4), "window_size": 2, "projection_dim": 32,
    },
    "perceiver": {"num_cross_attention_heads": 1},
    "deepseek_ocr2_text": {"mlp_layer_types": ["dense", "sparse"]},
    "unlimited_ocr_text": {"num_key_value_heads": 4},
    "diffusion_gemma_text": {"num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 48},
    "ernie4_5_vl_moe_text": {"rope_parameters": {**ROTARY, "mrope_section": [1, 1, 2]}},
    "granite4_vision": {
        "deepstack_layer_map": [[-1, 0]], "spatial_target_layers": [1], "downsample_rate": "1/2"
    },
    "step3p5": {"sliding_window": 5},
    "muse_spark_audio": {
        "patch_sizes": (16, 6), "hidden_sizes": (16, 32), "depths": (1, 1)
    },
    "radio": {"video_temporal_patch_size": 2},
    "nemotron3_diarization_head": {"audio_hidden_size": 32},
    "vibevoice_acoustic_tokenizer_encoder": {
        "num_filters": 4, "downsampling_ratios": (2, 2), "depths": (1, 1, 1)
    },
    "qwen4_exp_text": {
        "indexer_n_heads": 2, "indexer_kv_heads": 1, "indexer_head_dim": 8, "indexer_budget": 64,
        "indexer_compress_ratio": 2,
    },
    **{name: {"rope_parameters": AXES} for name in SEVERAL_AXES},
    "zaya": {"num_experts_per_tok": 1},
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": ROTARY, "sliding_attention": ROTARY}
    },
    "dbrx": {"attn_config": {"kv_n_heads": 2, "rope_theta": 1e4, "clip_qkv": 8.0}},
    "dots1": {"n_shared_experts": 1, "moe_intermediate_size": 48, "n_routed_experts": 4},
    "dots3_note": {"num_key_value_heads": 4},
    "falcon_h1": {"mamba_d_ssm": 32},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 5},
    "lfm2_moe": {LAYERS: ["conv", "full_attention"]},
    "mamba2": {"num_heads": 8},
    "nemotron": {"num_key_value_heads": 2},
    "reformer": {
        "is_decoder": True, "axial_pos_shape": (8, 8), "axial_pos_embds_dim": (16, 16),
        "attn_layers": ("local", "lsh"), "local_attn_chunk_length": 8, "lsh_attn_chunk_length": 8,
    },
}  # fmt: skip
"""What a type of configuration needs beside, or in place of, these sizes."""

CLASSES: dict[str, dict[str, Any]] = {
    "Granite4VisionForConditionalGeneration": {"qformer_config": {"num_attention_heads": 4}},
    "EncoderDecoderModel": {"decoder": {"is_decoder": True, "add_cross_attention": True}},
    "ReformerForMaskedLM": {"is_decoder": False},
}
"""What a class says to its configuration, where another of the same type says something else."""
