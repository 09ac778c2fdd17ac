#!/usr/bin/env python3
"""Makes tests/golden/upscale.safetensors: what PyTorch has for the networks that enlarge
(lua/daub/upscale/network.lua), written here in plain PyTorch: SRVGGNetCompact without its skip.

    pip install torch safetensors
    python3 tests/golden/make_upscale.py

Per factor: weights under their PyTorch names, a picture x, and y = network(x), both (N, H, W, C).
"""
import os

import torch
from torch import nn
from safetensors.torch import save_file

torch.manual_seed(1)
FEATURES, LAYERS = 4, 2


class Enlarger(nn.Module):
    def __init__(self, factor):
        super().__init__()
        layers = [nn.Conv2d(3, FEATURES, 3, padding=1), nn.PReLU(FEATURES)]
        for _ in range(LAYERS):
            layers += [nn.Conv2d(FEATURES, FEATURES, 3, padding=1), nn.PReLU(FEATURES)]
        self.body = nn.Sequential(*layers)
        self.last = nn.Conv2d(FEATURES, 3 * factor * factor, 3, padding=1)
        self.shuffle = nn.PixelShuffle(factor)

    def forward(self, x):
        return self.shuffle(self.last(self.body(x)))


golden = {}
for factor in (4, 2):
    net = Enlarger(factor)
    for layer in net.body:
        if isinstance(layer, nn.PReLU):
            nn.init.uniform_(layer.weight, -0.3, 0.5)
    x = torch.rand(1, 3, 5, 7) * 2 - 1
    for name, p in net.state_dict().items():
        golden[f"x{factor}.{name}"] = p
    golden[f"x{factor}:x"] = x.permute(0, 2, 3, 1).contiguous()
    golden[f"x{factor}:y"] = net(x).permute(0, 2, 3, 1).contiguous().detach()
save_file(golden, os.path.join(os.path.dirname(__file__), "upscale.safetensors"))
