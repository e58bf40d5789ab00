# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a Llama of random weights, 427,000 parameters, small enough to be made where it is needed. Run by the Python
that vLLM is installed for, with the directory that it shall write as its argument."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

# Half of the tokens are the bytes.
VOCABULARY = 512
LONGEST = 131072
END = "</s>"


def make(folder: Path) -> None:
    """The same files each time."""
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words.train_from_iterator(Path(__file__).read_text().splitlines(), trainer)
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token=END).save_pretrained(folder)

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=LONGEST,
        bos_token_id=None,
        eos_token_id=words.token_to_id(END),
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    # What pods read is read by another user; the weights are written for their owner only.
    for file in folder.iterdir():
        file.chmod(0o644)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
