#!/usr/bin/env python3
"""PyTorch's example DCGAN on the covers daub learns from, for as many minutes: what daub is compared with.

    daub tests/bench/export.lua COLLECTION --size 192x64 --out covers.safetensors
    python3 tests/bench/pytorch_dcgan.py covers.safetensors paintings --minutes 60
    daub measure paintings/021400 COLLECTION

The networks are those of pytorch/examples' dcgan (Radford et al. 2015: nz 100, ngf = ndf = 64, weights
N(0, 0.02), binary cross-entropy, Adam 2e-4 and 0.5, batch 64, no augmentation, no average), their first and last
layer stretched to the pictures' shape: a grid of height / 16 by width / 16. Tensors are channels_last, which only
makes it faster. Each --every minutes a folder of --count paintings is written, named after the pictures shown;
--images N ends it after so many instead of a time. No time is counted for what is painted and saved.
"""
import argparse
import json
import os
import struct
import time
import zlib

os.environ.pop("OPENBLAS_CORETYPE", None)
import torch  # noqa: E402
from torch import nn  # noqa: E402

BATCH, NZ, WIDTH = 64, 100, 64


def covers(path):
    """The tensor "covers" of a safetensors file: u8 {N, H, W, 3}."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        pixels = bytearray(file.read())
    entry = header["covers"]
    start, end = entry["data_offsets"]
    return torch.frombuffer(pixels, dtype=torch.uint8)[start:end].reshape(entry["shape"])


def generator(height, width):
    grid = (height // 16, width // 16)
    layers, channels = [nn.ConvTranspose2d(NZ, 8 * WIDTH, grid, 1, 0, bias=False)], 8 * WIDTH
    while channels > WIDTH:
        layers += [nn.BatchNorm2d(channels), nn.ReLU(True),
                   nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=False)]
        channels //= 2
    return nn.Sequential(*layers, nn.BatchNorm2d(WIDTH), nn.ReLU(True),
                         nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1, bias=False), nn.Tanh())


def critic(height, width):
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
def paint(G, folder, count):
    """As the example does: G keeps its training mode, so batches are normalised by themselves."""
    os.makedirs(folder, exist_ok=True)
    noise = torch.randn(count, NZ, 1, 1, generator=torch.Generator().manual_seed(1))
    for first in range(0, count, BATCH):
        painted = G(noise[first:first + BATCH]).permute(0, 2, 3, 1)
        pixels = ((painted + 1) * 127.5 + 0.5).clamp(0, 255).to(torch.uint8).contiguous()
        for i, picture in enumerate(pixels):
            write_png(f"{folder}/{first + i:04d}.png", picture)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("covers")
    parser.add_argument("out")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--images", type=int, help="instead of --minutes")
    parser.add_argument("--every", type=float, default=5, help="minutes, or twentieths of --images")
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--seed", type=int, default=1)
    o = parser.parse_args()
    torch.manual_seed(o.seed)
    data = covers(o.covers)
    height, width = data.shape[1:3]
    G = generator(height, width).apply(initialise).to(memory_format=torch.channels_last)
    D = critic(height, width).apply(initialise).to(memory_format=torch.channels_last)
    adam_g = torch.optim.Adam(G.parameters(), lr=2e-4, betas=(0.5, 0.999))
    adam_d = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))
    loss, ones, zeros = nn.BCEWithLogitsLoss(), torch.ones(BATCH), torch.zeros(BATCH)
    shown, seconds, saved, order = 0, 0.0, 0, []
    while True:
        begun = time.perf_counter()
        if len(order) < BATCH:
            order = torch.randperm(len(data)).tolist()
        batch, order = order[:BATCH], order[BATCH:]
        real = (data[batch].float() / 127.5 - 1).permute(0, 3, 1, 2)  # NHWC bytes: channels_last as they are
        D.zero_grad()
        on_real = loss(D(real), ones)
        on_real.backward()
        fake = G(torch.randn(BATCH, NZ, 1, 1))
        on_fake = loss(D(fake.detach()), zeros)
        on_fake.backward()
        adam_d.step()
        G.zero_grad()
        on_g = loss(D(fake), ones)
        on_g.backward()
        adam_g.step()
        shown += BATCH
        seconds += time.perf_counter() - begun
        share = shown / o.images if o.images else seconds / (o.minutes * 60)
        step = 0.05 if o.images else o.every / o.minutes
        if share >= min(1, (saved + 1) * step):
            saved += 1
            paint(G, f"{o.out}/{shown:06d}", o.count)
            print(json.dumps({"images": shown, "seconds": round(seconds, 1), "critic":
                              (on_real + on_fake).item(), "generator": on_g.item()}), flush=True)
        if share >= 1:
            break


main()
