#!/usr/bin/env python3
"""Makes tests/golden/measure.safetensors: what numpy, scipy and PyTorch have for the distances of
lua/daub/measure/, written here from their papers and authors' programs.

    pip install torch numpy scipy safetensors
    python3 tests/golden/make_measure.py

Inputs are stored with the results; they are small and random.
"""
import os

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from scipy.stats import mannwhitneyu

random = np.random.default_rng(7)
found = {}


def features(name, count, shift, scale):
    found[name] = (random.standard_normal((count, 12)) * scale + shift).astype(np.float32)
    return found[name].astype(np.float64)


def kid(x, y):
    """tkarras/stylegan2-ada metrics/kernel_inception_distance.py, one subset of everything."""
    n, m, d = len(x), len(y), x.shape[1]
    a = (x @ x.T / d + 1) ** 3
    b = (y @ y.T / d + 1) ** 3
    cross = (x @ y.T / d + 1) ** 3
    return ((a.sum() - np.diag(a).sum()) / (n * (n - 1))
            + (b.sum() - np.diag(b).sum()) / (m * (m - 1)) - 2 * cross.mean())


def distances(x, y):
    return np.sqrt(((x[:, None] - y[None]) ** 2).sum(2))


def density_and_coverage(real, fake, k):
    """clovaai/generative-evaluation-prdc prdc/prdc.py."""
    radii = np.sort(distances(real, real), 1)[:, k]
    apart = distances(real, fake)
    density = (apart < radii[:, None]).sum(0).mean() / k
    return density, (apart.min(1) < radii).mean()


def z_of(a, b):
    """Mann and Whitney's U as a normal deviate, ties not counted into the spread."""
    u = mannwhitneyu(a, b).statistic
    n, m = len(a), len(b)
    return (u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12)


def copying(painted, fresh, train, k):
    p, f = np.sort(distances(painted, train), 1), np.sort(distances(fresh, train), 1)
    return z_of(p[:, 0] / p[:, k - 1], f[:, 0] / f[:, k - 1]), z_of(p[:, 0], f[:, 0])


def whitened_products(train, x):
    """x C' x^T with C' the inverse of the covariance and its ridge, trace d over train."""
    n, d = train.shape
    centred = train - train.mean(0)
    c = centred.T @ centred / n
    inverse = np.linalg.inv(c + (0.05 + 0.2 * d / n) * np.trace(c) / d * np.eye(d))
    x = x - train.mean(0)
    return x @ inverse @ x.T * d / np.trace(inverse @ c)


def swd(a, b, directions):
    """tkarras/progressive_growing_of_gans metrics/sliced_wasserstein.py, patches {n, 49, 3}."""
    def projected(x):
        x = x - x.mean((0, 1), keepdims=True)
        x = x / x.std((0, 1), keepdims=True)
        return np.sort(x.reshape(len(x), -1) @ directions.T, axis=0)
    return np.abs(projected(a) - projected(b)).mean() * 1000


def ms_ssim(x, y, weights):
    """Wang, Simoncelli, Bovik (2003) with a Gaussian window of 11 pixels and sigma 1.5."""
    g = torch.exp(-((torch.arange(11, dtype=torch.float64) - 5) / 1.5) ** 2 / 2)
    window = (g[:, None] * g[None] / g.sum() ** 2).expand(3, 1, 11, 11)
    result = 1
    for i, weight in enumerate(weights):
        blur = lambda z: F.conv2d(z, window, groups=3)
        mx, my = blur(x), blur(y)
        vx, vy, cov = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
        value = (2 * cov + 0.03 ** 2) / (vx + vy + 0.03 ** 2)
        if i == len(weights) - 1:
            value = value * (2 * mx * my + 0.01 ** 2) / (mx * mx + my * my + 0.01 ** 2)
        result = result * value.mean((1, 2, 3)).clamp(min=0) ** (weight / sum(weights))
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return result


train, held = features("train", 90, 0, 1), features("held", 30, 0, 1)
painted = features("painted", 26, 0.5, 0.3)
copies = found["copies"] = features("copies", 25, 0, 0.9).astype(np.float32) + found["train"][:25]
copies[3] = copies[4]  # equal distances
found["kid"] = np.array([kid(painted, held), kid(train, held)])
found["prdc"] = np.array([density_and_coverage(held, painted, 5),
                          density_and_coverage(held, train, 3)])
found["copying"] = np.array([copying(painted, held, train, 5),
                             copying(copies.astype(np.float64), held, train, 5)])

narrow = train * np.geomspace(3, 1e-3, 12)  # from wide directions to some below the ridge
narrow[:, 1] += narrow[:, 0]
found["narrow"] = narrow.astype(np.float32)
found["whitened"] = whitened_products(narrow, narrow[:20] * 2)

a = random.standard_normal((40, 49, 3)).astype(np.float32)
b = (random.standard_normal((40, 49, 3)) ** 3 + [0, 2, -1]).astype(np.float32)
directions = random.standard_normal((8, 147))
directions = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)
found.update({"patches.a": a, "patches.b": b, "directions": directions})
found["swd"] = np.array([swd(a.astype(np.float64), b.astype(np.float64),
                             directions.astype(np.float64))])

x = random.integers(0, 256, (3, 8, 12, 3)).repeat(4, 1).repeat(4, 2).astype(np.uint8)
y = (x * 0.7 + random.integers(0, 60, x.shape)).astype(np.uint8)
found.update({"pictures.x": x, "pictures.y": y})
both = [torch.from_numpy(p / 255.0).permute(0, 3, 1, 2) for p in (x, y)]
found["ms_ssim"] = ms_ssim(*both, [0.0448, 0.2856]).numpy()

here = os.path.dirname(os.path.abspath(__file__))
save_file(found, os.path.join(here, "measure.safetensors"))
