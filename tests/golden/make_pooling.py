#!/usr/bin/env python3
"""Writes pooling.lua: what PyTorch makes of pooling and resampling, for tests/lua/conv_spec.lua.

    python3 tests/golden/make_pooling.py > tests/golden/pooling.lua
"""
import math
import textwrap

import torch
import torch.nn.functional as F

N, H, W, C = 2, 5, 7, 3


def fill(*shape):
    n = math.prod(shape)
    values = torch.tensor([math.sin(0.7 * i) + 0.01 * (i % 13) for i in range(n)], dtype=torch.float64)
    return values.reshape(shape)


CASES = [
    ("avg_pool2d", (3, 3, 2, 1, 1, 0, True), lambda x: F.avg_pool2d(x, 3, (2, 1), (1, 0))),
    ("avg_pool2d", (3, 2, 2, 2, 1, 1, False),
     lambda x: F.avg_pool2d(x, (3, 2), 2, (1, 1), count_include_pad=False)),
    ("max_pool2d", (3, 2, 2, 2, 1, 1, True), lambda x: F.max_pool2d(x, (3, 2), 2, (1, 1))),
    ("max_pool2d", (2, 2, 2, 2, 0, 0, True), lambda x: F.max_pool2d(x, 2)),
    ("adaptive_avg_pool2d", (3, 4), lambda x: F.adaptive_avg_pool2d(x, (3, 4))),
    ("adaptive_avg_pool2d", (7, 2), lambda x: F.adaptive_avg_pool2d(x, (7, 2))),
    ("upsample_nearest", (8, 10), lambda x: F.interpolate(x, (8, 10), mode="nearest")),
    ("upsample_nearest", (3, 4), lambda x: F.interpolate(x, (3, 4), mode="nearest")),
    ("upsample_bilinear", (10, 14, False),
     lambda x: F.interpolate(x, (10, 14), mode="bilinear", align_corners=False)),
    ("upsample_bilinear", (3, 11, False),
     lambda x: F.interpolate(x, (3, 11), mode="bilinear", align_corners=False)),
    ("upsample_bilinear", (9, 1, True),
     lambda x: F.interpolate(x, (9, 1), mode="bilinear", align_corners=True)),
]


def row(t):
    values = ", ".join("%.9g" % v for v in t.permute(0, 2, 3, 1).reshape(-1).tolist())
    return "{\n" + textwrap.fill(values, 96, initial_indent="    ", subsequent_indent="    ") + " }"


def lua(v):
    return str(v).lower()


print("-- Made by make_pooling.py with PyTorch %s." % torch.__version__.split("+")[0])
print("return {")
for name, args, f in CASES:
    x = fill(N, H, W, C).permute(0, 3, 1, 2).contiguous().requires_grad_()
    y = f(x)
    g = fill(y.shape[0], y.shape[2], y.shape[3], y.shape[1]).permute(0, 3, 1, 2)
    (dx,) = torch.autograd.grad(y, x, g)
    print('  { name = "%s", args = { %s }, size = { %d, %d },' %
          (name, ", ".join(map(lua, args)), y.shape[2], y.shape[3]))
    print("    y = %s," % row(y.detach()))
    print("    dx = %s }," % row(dx))
print("}")
