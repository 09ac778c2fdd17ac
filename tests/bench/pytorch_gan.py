#!/usr/bin/env python3
"""The same job in PyTorch, on the covers daub learns from: what daub's paintings are compared with.

    daub tests/bench/export.lua COLLECTION --size 192x64 --out covers.safetensors
    python3 tests/bench/pytorch_gan.py covers.safetensors paintings --minutes 60
    daub measure paintings/021400 COLLECTION

--network dcgan is that of pytorch/examples' dcgan (Radford et al. 2015: nz 100, ngf = ndf = 64, weights N(0, 0.02),
binary cross-entropy, Adam 2e-4 and 0.5, batch 64, no augmentation, no average), its first and last layer stretched
to the pictures' shape: a grid of height / 16 by width / 16. --network cover is daub's `tiny` for 96x32 (batch 32,
translation, averaged weights with statistics taken anew), its octaves as PyTorch has them: nearest neighbour, then a
3x3 convolution. Tensors are channels_last, which only makes it faster. Each --every minutes a folder of --count
paintings is written, named after the pictures shown; --images N ends it after so many instead of a time. No time is
counted for what is painted and saved.
"""
import argparse
import copy
import json
import math
import os
import struct
import time
import zlib

os.environ.pop("OPENBLAS_CORETYPE", None)
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

WIDTH = 64                  # of dcgan
TINY = (160, 128, 64, 32)   # channels of cover, at 4, 8, 16 and 32 rows


def covers(path):
    """The tensor "covers" of a safetensors file: u8 {N, H, W, 3}."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        pixels = bytearray(file.read())
    entry = header["covers"]
    start, end = entry["data_offsets"]
    return torch.frombuffer(pixels, dtype=torch.uint8)[start:end].reshape(entry["shape"])


class Dcgan:
    batch, latent, averaged = 64, 100, False

    @staticmethod
    def noise(count, generator=None):
        return torch.randn(count, 100, 1, 1, generator=generator)

    @staticmethod
    def change(x):
        return x

    @staticmethod
    def networks(height, width):
        return dcgan_generator(height, width).apply(initialise), dcgan_critic(height, width).apply(initialise)


def dcgan_generator(height, width):
    grid = (height // 16, width // 16)
    layers, channels = [nn.ConvTranspose2d(100, 8 * WIDTH, grid, 1, 0, bias=False)], 8 * WIDTH
    while channels > WIDTH:
        layers += [nn.BatchNorm2d(channels), nn.ReLU(True),
                   nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=False)]
        channels //= 2
    return nn.Sequential(*layers, nn.BatchNorm2d(WIDTH), nn.ReLU(True),
                         nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1, bias=False), nn.Tanh())


def dcgan_critic(height, width):
    layers, channels = [nn.Conv2d(3, WIDTH, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)], WIDTH
    while channels < 8 * WIDTH:
        layers += [nn.Conv2d(channels, 2 * channels, 4, 2, 1, bias=False),
                   nn.BatchNorm2d(2 * channels), nn.LeakyReLU(0.2, True)]
        channels *= 2
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, (height // 16, width // 16), 1, 0, bias=False),
                         nn.Flatten(0))


def initialise(layer):
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
        nn.init.zeros_(layer.bias)


def normalised(inputs, outputs, kernel, stride=1):
    return [nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, bias=False), nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2)]


class Octave(nn.Module):
    def __init__(self, inputs, outputs, second, gate):
        super().__init__()
        self.up = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.strength = nn.Parameter(torch.zeros(outputs, 1, 1))
        self.norm = nn.Sequential(nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2))
        self.second = nn.Sequential(*normalised(outputs, outputs, 3)) if second else nn.Identity()
        self.gate = gate and nn.Sequential(
            nn.AdaptiveAvgPool2d(4), nn.Conv2d(gate, outputs, 4, bias=False), nn.SiLU(),
            nn.Conv2d(outputs, outputs, 1, bias=False), nn.Sigmoid())

    def forward(self, x, first):
        x = self.up(F.interpolate(x, scale_factor=2, mode="nearest"))
        x = self.norm(x + self.strength * torch.randn_like(x[:, :1]))
        x = self.second(x)
        return x * self.gate(first) if self.gate else x


class CoverGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        c = TINY
        self.linear = nn.Linear(128, c[0] * 4 * 12)
        self.grid = nn.Sequential(nn.BatchNorm2d(c[0]), nn.LeakyReLU(0.2))
        self.octaves = nn.ModuleList([Octave(c[0], c[1], True, None), Octave(c[1], c[2], True, None),
                                      Octave(c[2], c[3], False, c[0])])
        self.rgb = nn.Conv2d(c[3], 3, 3, 1, 1)

    def forward(self, z):
        first = x = self.grid(self.linear(z).reshape(-1, TINY[0], 4, 12))
        for octave in self.octaves:
            x = octave(x, first)
        return torch.tanh(self.rgb(x))


class Halving(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Sequential(*normalised(inputs, outputs, 4, 2))
        self.short = nn.Sequential(nn.AvgPool2d(2), *normalised(inputs, outputs, 1)[:2])

    def forward(self, x):
        return self.conv(x) + self.short(x)


class Spread(nn.Module):
    def forward(self, x):
        std = (x.reshape(-1, 4, *x.shape[1:]).var(1, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
        return torch.cat([x, std.repeat_interleave(4)[:, None, None, None].expand(-1, 1, *x.shape[2:])], 1)


def cover_critic():
    c = TINY
    return nn.Sequential(
        nn.PixelUnshuffle(2), nn.Conv2d(12, c[2], 3, 1, 1), nn.LeakyReLU(0.2),
        *normalised(c[2], c[2], 3), Halving(c[2], c[1]), Halving(c[1], c[0]),
        Spread(), *normalised(c[0] + 1, c[0], 3), nn.Flatten(), nn.Linear(4 * 12 * c[0], 1), nn.Flatten(0))


class Cover:
    batch, latent, averaged = 32, 128, True

    @staticmethod
    def noise(count, generator=None):
        return torch.randn(count, 128, generator=generator)

    @staticmethod
    def change(x):
        """Moved by up to an eighth of each side, 0 outside."""
        n, _, h, w = x.shape
        rows, columns = round(h / 8), round(w / 8)
        x = F.pad(x, (columns, columns, rows, rows)).permute(0, 2, 3, 1)
        top = torch.randint(2 * rows + 1, (n, 1, 1)) + torch.arange(h)[None, :, None]
        left = torch.randint(2 * columns + 1, (n, 1, 1)) + torch.arange(w)[None, None, :]
        return x[torch.arange(n)[:, None, None], top, left].permute(0, 3, 1, 2)

    @staticmethod
    def networks(height, width):
        if (height, width) != (32, 96):
            raise SystemExit("--network cover paints 96x32")
        G, D = CoverGenerator(), cover_critic()
        for layer in [*G.modules(), *D.modules()]:
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.normal_(layer.weight, 0, math.sqrt(2 / (layer.weight[0].numel())))
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        nn.init.normal_(G.rgb.weight, 0, 0.5 * math.sqrt(2 / G.rgb.weight[0].numel()))
        return G, D


class Average:
    """Weights averaged: half is at most 10,000 pictures old, and at most a twentieth of all shown."""

    def __init__(self, G):
        self.network = copy.deepcopy(G).requires_grad_(False)

    @torch.no_grad()
    def update(self, G, shown, batch):
        decay = 0.5 ** (batch / min(10000, 0.05 * shown))
        torch._foreach_lerp_(list(self.network.parameters()), list(G.parameters()), 1 - decay)

    @torch.no_grad()
    def settle(self, noise):
        norms = [m for m in self.network.modules() if isinstance(m, nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
        self.network.train()
        for _ in range(16):
            self.network(noise(32))
        return self.network.eval()


def write_png(path, pixels):
    """u8 {H, W, 3}"""
    height, width, _ = pixels.shape
    rows = torch.cat([torch.zeros(height, 1, dtype=torch.uint8), pixels.reshape(height, width * 3)], 1)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n"
                   + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                   + chunk(b"IDAT", zlib.compress(bytes(rows.flatten().tolist()), 6)) + chunk(b"IEND", b""))


@torch.no_grad()
def paint(G, noise, folder, count, batch):
    os.makedirs(folder, exist_ok=True)
    z = noise(count, torch.Generator().manual_seed(1))
    for first in range(0, count, batch):
        painted = G(z[first:first + batch]).permute(0, 2, 3, 1)
        pixels = ((painted + 1) * 127.5 + 0.5).clamp(0, 255).to(torch.uint8).contiguous()
        for i, picture in enumerate(pixels):
            write_png(f"{folder}/{first + i:04d}.png", picture)


def batches(data, batch):
    order = []
    while True:
        if len(order) < batch:
            order = torch.randperm(len(data)).tolist()
        chosen, order = order[:batch], order[batch:]
        yield (data[chosen].float() / 127.5 - 1).permute(0, 3, 1, 2)  # NHWC bytes: channels_last as they are


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("covers")
    parser.add_argument("out")
    parser.add_argument("--network", choices=("dcgan", "cover"), default="dcgan")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--images", type=int, help="instead of --minutes")
    parser.add_argument("--every", type=float, default=5, help="minutes, or twentieths of --images")
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--seed", type=int, default=1)
    o = parser.parse_args()
    torch.manual_seed(o.seed)
    data, kind = covers(o.covers), {"dcgan": Dcgan, "cover": Cover}[o.network]
    batch, real_pictures = kind.batch, batches(data, kind.batch)
    G, D = (net.to(memory_format=torch.channels_last) for net in kind.networks(*data.shape[1:3]))
    average = Average(G) if kind.averaged else None
    adam_g = torch.optim.Adam(G.parameters(), lr=2e-4, betas=(0.5, 0.999))
    adam_d = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))
    loss, ones, zeros = nn.BCEWithLogitsLoss(), torch.ones(batch), torch.zeros(batch)
    shown, seconds, saved, share = 0, 0.0, 0, 0
    while share < 1:
        begun = time.perf_counter()
        D.requires_grad_(True)
        D.zero_grad()
        on_real = loss(D(kind.change(next(real_pictures))), ones)
        on_real.backward()
        fake = G(kind.noise(batch))
        on_fake = loss(D(kind.change(fake.detach())), zeros)
        on_fake.backward()
        adam_d.step()
        D.requires_grad_(False)
        G.zero_grad()
        on_g = loss(D(kind.change(fake)), ones)
        on_g.backward()
        adam_g.step()
        shown += batch
        if average:
            average.update(G, shown, batch)
        seconds += time.perf_counter() - begun
        share = shown / o.images if o.images else seconds / (o.minutes * 60)
        if share >= min(1, (saved + 1) * (0.05 if o.images else o.every / o.minutes)):
            saved += 1
            # the example paints with G as it trains: batches are normalised by themselves
            painter = average.settle(kind.noise) if average else G
            paint(painter, kind.noise, f"{o.out}/{shown:06d}", o.count, batch)
            print(json.dumps({"images": shown, "seconds": round(seconds, 1), "critic":
                              (on_real + on_fake).item(), "generator": on_g.item()}), flush=True)


main()
