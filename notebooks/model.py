"""A byte-level GPT small enough to learn Python on two CPU cores while you watch.

`quickstart.ipynb` imports it, in whichever kernel its cells run. A token is a byte, so there is no tokenizer to fit and
any file is training data. The shape is GPT-2's (Radford et al., 2019), with rotary positions (Su et al., 2021) and the
input embedding tied to the output layer (Press and Wolf, 2017).

Promises: the logits at position t depend on bytes 0..t alone; an untrained model is close to uniform, so its loss
starts near ln(256) = 5.55; needs only torch, and runs on the CPU or on one GPU without torch.distributed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class GPTConfig:
    """Everything that decides the shape of the model; a checkpoint stores it to build the same model again.

    block_size: the most bytes the model sees at once. n_embd: width; a multiple of 2 * n_head.
    """

    vocab_size: int = 256
    block_size: int = 96
    n_layer: int = 2
    n_head: int = 4
    n_embd: int = 128


class CausalSelfAttention(nn.Module):
    """Each byte gathers what it needs from itself and the bytes before it. (B, T, C) -> (B, T, C)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.n_head = config.n_head
        # One matrix product for queries, keys and values of all heads: fewer, larger products are faster.
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd)
        self.proj = nn.Linear(config.n_embd, config.n_embd)

    def forward(self, x: Tensor) -> Tensor:
        batch, time, width = x.shape
        q, k, v = self.qkv(x).view(batch, time, 3, self.n_head, width // self.n_head).permute(2, 0, 3, 1, 4)
        # Attention alone sees a set of bytes; turned by its position, each query meets its keys at an angle that is
        # their distance. "The byte before" is then one thing to learn, not one for every position.
        q, k = _rotate(q), _rotate(k)
        # is_causal hides the future; without it the model would copy the answer it is asked to predict.
        heads = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        mixed: Tensor = self.proj(heads.transpose(1, 2).reshape(batch, time, width))
        return mixed


class Block(nn.Module):
    """Attention moves information between positions, the MLP works on it in place. (B, T, C) -> (B, T, C)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.n_embd)
        self.attention = CausalSelfAttention(config)
        self.norm2 = nn.LayerNorm(config.n_embd)
        self.mlp = nn.Sequential(
            nn.Linear(config.n_embd, 4 * config.n_embd),
            nn.GELU(approximate="tanh"),
            nn.Linear(4 * config.n_embd, config.n_embd),
        )

    def forward(self, x: Tensor) -> Tensor:
        # Norm before, not after: the sum runs straight from input to output, so gradients reach the first layer whole.
        x = x + self.attention(self.norm1(x))
        mixed: Tensor = x + self.mlp(self.norm2(x))
        return mixed


class GPT(nn.Module):
    """The whole model: bytes in, a score for each possible next byte out."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.byte_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.norm = nn.LayerNorm(config.n_embd)
        self.head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.apply(_init_weights)
        # Every block adds to the same sum twice; without this its variance would grow with the depth.
        for name, weight in self.named_parameters():
            if name.endswith(("proj.weight", "mlp.2.weight")):
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * config.n_layer))
        # Which bytes are alike is the same question on the way in and on the way out: one table answers both.
        self.head.weight = self.byte_embedding.weight

    def forward(self, idx: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Logits (B, T, vocab_size) for bytes `idx` (B, T), and the loss if the bytes that follow are given.

        The loss is the mean cross-entropy in nats per byte.
        Raises ValueError if T is more than `config.block_size`: no longer distance was ever trained.
        """
        time = idx.shape[1]
        if time > self.config.block_size:
            raise ValueError(f"a sequence of {time} bytes does not fit the block size of {self.config.block_size}")
        x = self.byte_embedding(idx)
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.norm(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    @torch.no_grad()
    def generate(self, idx: Tensor, max_new_tokens: int, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
        """Continue `idx` (B, T) to (B, T + max_new_tokens), drawing each byte from the model's own prediction.

        Below 1, `temperature` makes likely bytes likelier; `top_k` rules out all but the k likeliest.
        """
        for _ in range(max_new_tokens):
            logits, _ = self(idx[:, -self.config.block_size :])
            logits = logits[:, -1] / temperature
            if top_k is not None:
                logits[logits < logits.topk(top_k).values[:, -1:]] = -math.inf
            idx = torch.cat([idx, torch.multinomial(logits.softmax(-1), 1)], dim=1)
        return idx


def _rotate(x: Tensor) -> Tensor:
    """Turn each half of `x` (..., T, D) against the other, by an angle that grows with the position. Same shape."""
    time, width = x.shape[-2:]
    # From one radian a byte, for neighbours, down to a thousandth, for words and lines far back.
    speeds = 1000.0 ** (-torch.arange(0, width, 2, device=x.device) / width)
    angles = torch.arange(time, device=x.device)[:, None] * speeds
    left, right = x.chunk(2, dim=-1)
    cos, sin = angles.cos().type_as(x), angles.sin().type_as(x)
    return torch.cat((left * cos - right * sin, left * sin + right * cos), dim=-1)


def _init_weights(module: nn.Module) -> None:
    """GPT-2's initialisation: small, so that the first predictions are close to uniform."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
