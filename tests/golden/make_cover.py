#!/usr/bin/env python3
"""Makes tests/golden/cover.safetensors: what PyTorch has for one pass forward and backward through
the networks for covers (lua/daub/learn/networks/cover.lua), written here in plain PyTorch; then, its
names beginning with "S.", for the steady critic and its game of pairs with the gradient penalty.

    pip install torch safetensors numpy
    python3 tests/golden/make_cover.py

All inputs and weights come from a formula of their daub name and place (tests/lua/support/formula.lua
repeats it), so that only results are stored: what is painted (every eighth pixel), the critic's
logits, and for each parameter its gradient's product with numbers of the same formula.
"""
import math
import os

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.set_num_threads(1)
WIDTHS = [20, 16, 8, 4, 4, 4]  # 10 % of lite's
LATENT, BATCH, OCTAVES, GRID = 16, 8, 4, (4, 4)
GAMMA = 0.7
parameters = {}


def numbers(name, shape):
    """Pseudo-random numbers in -0.5 … 0.5."""
    start = sum((i + 1) * ord(c) for i, c in enumerate(name))
    k = torch.arange(math.prod(shape), dtype=torch.float64)
    x = torch.sin(k * 12.9898 + start * 78.233) * 43.7585453
    return (x - torch.floor(x) - 0.5).reshape(shape)


def parameter(name, shape, scale, offset=0.0):
    if name not in parameters:
        parameters[name] = (numbers(name, shape) * scale + offset).requires_grad_()
    return parameters[name]


def weight(name, shape, fan_in):
    return parameter(name, shape, math.sqrt(24 / fan_in))


def conv(x, name, kernel, outputs, bias=False):
    inputs = x.shape[1]
    w = weight(name + ".weight", (kernel, kernel, inputs, outputs), kernel * kernel * inputs)
    b = parameter(name + ".bias", (outputs,), 0.2) if bias else None
    return F.conv2d(x, w.permute(3, 2, 0, 1), b, padding=(kernel - 1) // 2)


def doubled(x, name, outputs):
    inputs = x.shape[1]
    w = weight(name + ".weight", (3, 3, outputs, inputs), 9 * inputs)
    x = F.interpolate(x, scale_factor=2, mode="nearest")
    return F.conv2d(x, w.flip(0, 1).permute(2, 3, 0, 1), padding=1)


def linear(x, name, outputs, bias=True):
    w = weight(name + ".weight", (outputs, x.shape[1]), x.shape[1])
    return F.linear(x, w, parameter(name + ".bias", (outputs,), 0.2) if bias else None)


def norm(x, name):
    c = x.shape[1]
    return F.batch_norm(x, None, None, parameter(name + ".weight", (c,), 0.4, 1),
                        parameter(name + ".bias", (c,), 0.4), training=True)


def lrelu(x):
    return F.leaky_relu(x, 0.2)


def flat(x):
    return x.permute(0, 2, 3, 1).flatten(1)


def gate(x, name, outputs):
    x = flat(F.adaptive_avg_pool2d(x, 4))
    x = F.silu(linear(x, name + ".3", outputs, bias=False))
    return torch.sigmoid(linear(x, name + ".5", outputs, bias=False))[:, :, None, None]


def generator(z, drawn):
    h, w = GRID
    x = linear(z, "G.grid.1", h * w * WIDTHS[0]).reshape(-1, h, w, WIDTHS[0]).permute(0, 3, 1, 2)
    maps, at = [lrelu(norm(x, "G.grid.3"))], 0
    for level in range(2, OCTAVES + 2):
        name, c = f"G.level{level}", WIDTHS[level - 1]
        x = doubled(maps[-1], name + ".up", c)
        size = x.shape[2] * x.shape[3]
        noise = drawn[:, at:at + size].reshape(-1, 1, x.shape[2], x.shape[3])
        at += size
        x = x + noise * parameter(name + ".noise", (c,), 0.6)[:, None, None]
        x = lrelu(norm(x, name + ".norm.1"))
        if level in (2, 3):
            x = lrelu(norm(conv(x, name + ".second.1", 3, c), name + ".second.2"))
        if level in (4, 5):
            x = x * gate(maps[level - 4], name + ".gate", c)
        maps.append(x)
    return torch.tanh(conv(maps[-1], "G.rgb", 3, 3, bias=True))


def spread(x):
    groups = x.reshape(-1, 4, *x.shape[1:])
    std = (groups.var(1, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
    std = std.repeat_interleave(4)[:, None, None, None].expand(-1, 1, *x.shape[2:])
    return torch.cat([x, std], 1)


def counter(prefix):
    """Layers of a Sequential, as daub counts them."""
    at = 1

    def layer(step=1):
        nonlocal at
        at += step
        return f"{prefix}.{at - step}"

    return layer


def stem(x, name):
    """daub's 6x6 convolution with stride 2, as the 3x3 one of packed pixels that it stands for."""
    c = WIDTHS[OCTAVES - 1]
    w = weight(name + ".weight", (6, 6, 3, c), 108).reshape(3, 2, 3, 2, 3, c)
    w = w.permute(5, 4, 1, 3, 0, 2).reshape(c, 12, 3, 3)
    return lrelu(F.conv2d(F.pixel_unshuffle(x, 2), w, parameter(name + ".bias", (c,), 0.2),
                          padding=1))


def critic(x):
    layer = counter("D")
    x = stem(x, layer(2))
    for level in range(OCTAVES, 1, -1):
        if level in (3, 4):
            x = lrelu(norm(conv(x, layer(), 3, x.shape[1]), layer(2)))
        name, c = layer(), WIDTHS[level - 2]
        a = lrelu(norm(F.avg_pool2d(conv(x, name + ".conv.1", 3, c), 2), name + ".conv.2"))
        b = norm(conv(F.avg_pool2d(x, 2), name + ".short.2", 1, c), name + ".short.3")
        x = a + b
    layer()
    x = lrelu(norm(conv(spread(x), layer(), 3, WIDTHS[0]), layer(2)))
    layer()
    return linear(flat(x), layer(), 1)


def steady(x):
    layer = counter("S")
    x = stem(x, layer(2))
    for level in range(OCTAVES, 1, -1):
        if level in (3, 4):
            x = lrelu(conv(x, layer(2), 3, x.shape[1], bias=True))
        name, c = layer(), WIDTHS[level - 2]
        a = lrelu(F.avg_pool2d(conv(x, name + ".conv.1", 3, c, bias=True), 2))
        x = a + conv(F.avg_pool2d(x, 2), name + ".short.2", 1, c, bias=True)
    x = lrelu(conv(x, layer(2), 3, WIDTHS[0], bias=True))
    layer()
    return linear(flat(x), layer(), 1)


def slope(scores, x):
    return torch.autograd.grad(scores.sum(), x, create_graph=True)[0].square().sum() / BATCH


cells = GRID[0] * GRID[1] * sum(4 ** i for i in range(1, OCTAVES + 1))
painted = generator(numbers("z", (BATCH, LATENT)) * 4, numbers("noise", (BATCH, cells)) * 4)
logits = critic(painted)
F.softplus(-logits).mean().backward()
real, fake = ((numbers(name, (BATCH, 64, 64, 3)) * 2).permute(0, 3, 1, 2).requires_grad_()
              for name in ("real", "fake"))
on_real, on_fake = steady(real), steady(fake)
loss = F.softplus(on_fake - on_real).mean()
penalty = GAMMA / 2 * (slope(on_real, real) + slope(on_fake, fake))
(loss + penalty).backward()
results = {name: (p.grad * numbers("probe " + name, p.shape)).sum().reshape(1)
           for name, p in parameters.items()}
results["painted"] = painted.detach().permute(0, 2, 3, 1)[:, ::8, ::8].contiguous()
results["logits"] = logits.detach()
results["S.loss"], results["S.penalty"] = (x.detach().reshape(1) for x in (loss, penalty))
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cover.safetensors")
save_file(results, path, {"made with": "torch " + torch.__version__})
print(path, os.path.getsize(path), "bytes", len(parameters), "parameters")
