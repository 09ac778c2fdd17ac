#!/usr/bin/env python3
"""Times the training step of lua/daub/bench/dcgan64.lua in PyTorch on the CPU.

    python3 tests/bench/pytorch_dcgan.py [--threads 2] [--repeats 5] [--json]

Batch 64, 64x64, nz 100, ngf = ndf = 64, Adam; in the default layout and in channels_last by turns. As
there, weight gradients of D are not computed in G's half.
"""
import argparse
import json
import os
import statistics
import time

os.environ.pop("OPENBLAS_CORETYPE", None)
import torch  # noqa: E402
from torch import nn  # noqa: E402

BATCH, NZ = 64, 100


def generator():
    layers, channels = [nn.ConvTranspose2d(NZ, 512, 4, 1, 0, bias=False)], 512
    while channels > 64:
        layers += [nn.BatchNorm2d(channels), nn.ReLU(True),
                   nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=False)]
        channels //= 2
    return nn.Sequential(*layers, nn.BatchNorm2d(64), nn.ReLU(True),
                         nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh())


def discriminator():
    layers, channels = [nn.Conv2d(3, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)], 64
    while channels < 512:
        layers += [nn.Conv2d(channels, 2 * channels, 4, 2, 1, bias=False),
                   nn.BatchNorm2d(2 * channels), nn.LeakyReLU(0.2, True)]
        channels *= 2
    return nn.Sequential(*layers, nn.Conv2d(512, 1, 4, 1, 0, bias=False))


class Step:
    def __init__(self, memory_format):
        self.G = generator().to(memory_format=memory_format)
        self.D = discriminator().to(memory_format=memory_format)
        self.for_g = torch.optim.Adam(self.G.parameters(), 2e-4, (0.5, 0.999))
        self.for_d = torch.optim.Adam(self.D.parameters(), 2e-4, (0.5, 0.999))
        self.loss = nn.BCEWithLogitsLoss()
        self.real = torch.randn(BATCH, 3, 64, 64).to(memory_format=memory_format)
        self.yes, self.no = torch.ones(BATCH, 1, 1, 1), torch.zeros(BATCH, 1, 1, 1)

    def __call__(self):
        self.for_d.zero_grad()
        self.loss(self.D(self.real), self.yes).backward()
        fake = self.G(torch.randn(BATCH, NZ, 1, 1))
        self.loss(self.D(fake.detach()), self.no).backward()
        self.for_d.step()
        self.for_g.zero_grad()
        self.D.requires_grad_(False)
        self.loss(self.D(fake), self.yes).backward()
        self.D.requires_grad_(True)
        self.for_g.step()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    steps = {"default": Step(torch.contiguous_format), "channels_last": Step(torch.channels_last)}
    seconds = {name: [] for name in steps}
    cpu = {name: [] for name in steps}  # processor time, all threads together
    for i in range(options.repeats + 1):
        for name, step in steps.items():
            start, used = time.perf_counter(), time.process_time()
            step()
            if i > 0:  # the first one warms up
                seconds[name].append(time.perf_counter() - start)
                cpu[name].append(time.process_time() - used)
    if options.json:
        print(json.dumps({"version": torch.__version__, "seconds": seconds,
                          "cpu_seconds": {name: min(samples) for name, samples in cpu.items()}}))
        return
    for name, samples in seconds.items():
        print("PyTorch %s, %s, %d threads: best %.3f s, median %.3f s, processor time %.3f s" % (
            torch.__version__, name, options.threads, min(samples), statistics.median(samples),
            min(cpu[name])))


if __name__ == "__main__":
    main()
