#!/usr/bin/env python3
"""Training steps of daub's benchmarks in PyTorch on the CPU, one at a time as they are asked for.

    python3 tests/bench/pytorch_steps.py THREADS

A request is a line on standard input, its answer a line of JSON on standard output:

    prepare NAME     {"ready": true} once a first step was done, or {"error": "why it cannot be had"}
    step NAME COUNT  {"seconds": of one step, "cpu_seconds": of one step, all threads together}
    memory           {"peak_rss_bytes": of this process, "idle_bytes": before any network}

NAME is default, channels_last, compile or bf16: the DCGAN of PyTorch's tutorial at 64x64, batch 64, nz
100, ngf = ndf = 64, Adam; weight gradients of D are not computed in G's half. compile and bf16
(autocast) use channels_last. Or it is eager: an MLP of two layers of 64 units, batch 32, Adam. The first
line printed is {"version": …}, or {"error": …} where there is no PyTorch.
"""
import contextlib
import json
import os
import sys
import time

os.environ.pop("OPENBLAS_CORETYPE", None)
BATCH, NZ = 64, 100


def answer(**values):
    print(json.dumps(values), flush=True)


try:
    import torch
    from torch import nn
except ImportError as error:
    answer(error=str(error))
    sys.exit(0)


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


class Dcgan:
    def __init__(self, memory_format=torch.channels_last, compiled=False, bf16=False):
        self.G = generator().to(memory_format=memory_format)
        self.D = discriminator().to(memory_format=memory_format)
        self.for_g = torch.optim.Adam(self.G.parameters(), 2e-4, (0.5, 0.999))
        self.for_d = torch.optim.Adam(self.D.parameters(), 2e-4, (0.5, 0.999))
        self.loss = nn.BCEWithLogitsLoss()
        self.real = torch.randn(BATCH, 3, 64, 64).to(memory_format=memory_format)
        self.yes, self.no = torch.ones(BATCH, 1, 1, 1), torch.zeros(BATCH, 1, 1, 1)
        self.paint = torch.compile(self.G) if compiled else self.G
        self.judge = torch.compile(self.D) if compiled else self.D
        self.cast = (lambda: torch.autocast("cpu", torch.bfloat16)) if bf16 else contextlib.nullcontext

    def score(self, pictures, target):
        with self.cast():
            return self.loss(self.judge(pictures), target)

    def __call__(self):
        self.for_d.zero_grad()
        self.score(self.real, self.yes).backward()
        with self.cast():
            fake = self.paint(torch.randn(BATCH, NZ, 1, 1))
        self.score(fake.detach(), self.no).backward()
        self.for_d.step()
        self.for_g.zero_grad()
        self.D.requires_grad_(False)
        self.score(fake, self.yes).backward()
        self.D.requires_grad_(True)
        self.for_g.step()


class Mlp:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))
        self.adam = torch.optim.Adam(self.net.parameters(), 1e-3)
        self.x, self.y = torch.randn(32, 64), torch.randn(32, 64)

    def __call__(self):
        loss = nn.functional.mse_loss(self.net(self.x), self.y)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()


KINDS = {
    "default": lambda: Dcgan(torch.contiguous_format),
    "channels_last": Dcgan,
    "compile": lambda: Dcgan(compiled=True),
    "bf16": lambda: Dcgan(bf16=True),
    "eager": Mlp,
}


def peak_rss():
    # getrusage would count the process this one was started from as well
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(0)
    idle, steps = peak_rss(), {}
    answer(version=torch.__version__)
    for line in sys.stdin:
        request, *words = line.split()
        if request == "prepare":
            try:
                steps[words[0]] = KINDS[words[0]]()
                steps[words[0]]()
                answer(ready=True)
            except Exception as error:  # a compiler may be missing, or anything else
                answer(error=first_line(error))
        elif request == "step":
            step, count = steps[words[0]], int(words[1])
            start, used = time.perf_counter(), time.process_time()
            for _ in range(count):
                step()
            answer(seconds=(time.perf_counter() - start) / count,
                   cpu_seconds=(time.process_time() - used) / count)
        elif request == "memory":
            answer(peak_rss_bytes=peak_rss(), idle_bytes=idle)


if __name__ == "__main__":
    main()
