#!/usr/bin/env python3
"""Makes the golden values the Lua tests compare with: PyTorch's results for layers, functions,
optimisers and twenty whole DCGAN steps.

    pip install torch safetensors numpy
    python3 tests/golden/make.py            # rewrites tests/golden/*.safetensors

Pictures are stored as {N, H, W, C}; states as PyTorch has them (daub.nn.torch converts). The Lua
expression that must give the same stands in each file's metadata.
"""
import os

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)


def nhwc(t):
    return t.detach().permute(0, 2, 3, 1).contiguous() if t.dim() == 4 else t.detach().contiguous()


def save(name, tensors, metadata):
    path = os.path.join(HERE, name)
    save_file({k: v.clone().contiguous() for k, v in tensors.items()}, path, metadata)
    print(name, os.path.getsize(path), "bytes")


# name: (torch layer, Lua expression, input shape in PyTorch's layout)
def layer_cases():
    image = (2, 6, 5, 3)
    return {
        "linear": (nn.Linear(5, 4), "nn.Linear(5, 4)", (3, 5)),
        "linear_nobias": (nn.Linear(5, 4, bias=False), "nn.Linear(5, 4, {bias = false})", (3, 2, 5)),
        "conv": (nn.Conv2d(6, 4, 3), "nn.Conv2d(6, 4, 3)", image),
        "conv_strided": (nn.Conv2d(6, 4, 4, stride=2, padding=1),
                         "nn.Conv2d(6, 4, 4, {stride = 2, padding = 1})", image),
        "conv_odd": (nn.Conv2d(6, 3, (3, 2), stride=(1, 2), padding=(2, 0), bias=False),
                     "nn.Conv2d(6, 3, {3, 2}, {stride = {1, 2}, padding = {2, 0}, bias = false})",
                     image),
        "conv_groups": (nn.Conv2d(6, 4, 3, padding=1, groups=2),
                        "nn.Conv2d(6, 4, 3, {padding = 1, groups = 2})", image),
        "conv_depthwise": (nn.Conv2d(6, 6, 3, padding=1, groups=6),
                           "nn.Conv2d(6, 6, 3, {padding = 1, groups = 6})", image),
        "conv_transpose": (nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1),
                           "nn.ConvTranspose2d(6, 4, 4, {stride = 2, padding = 1})", image),
        "conv_transpose_out": (
            nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1, bias=False),
            "nn.ConvTranspose2d(6, 4, 3, {stride = 2, padding = 1, output_padding = 1, bias = false})",
            image),
        "conv_transpose_groups": (nn.ConvTranspose2d(6, 4, 3, groups=2),
                                  "nn.ConvTranspose2d(6, 4, 3, {groups = 2})", image),
        "batch_norm": (nn.BatchNorm2d(6), "nn.BatchNorm2d(6)", image),
        "batch_norm_plain": (nn.BatchNorm2d(6, affine=False, momentum=0.3, eps=1e-3),
                             "nn.BatchNorm2d(6, {affine = false, momentum = 0.3, eps = 1e-3})", image),
        "group_norm": (nn.GroupNorm(3, 6), "nn.GroupNorm(3, 6)", image),
        "instance_norm": (nn.InstanceNorm2d(6, affine=True), "nn.InstanceNorm2d(6, {affine = true})",
                          image),
        "layer_norm": (nn.LayerNorm(5), "nn.LayerNorm(5)", (3, 5)),
        "upsample": (nn.Upsample(scale_factor=2), "nn.Upsample{scale_factor = 2}", image),
        "upsample_size": (nn.Upsample(size=(9, 4)), "nn.Upsample{size = {9, 4}}", image),
        "upsample_bilinear": (nn.Upsample(scale_factor=2, mode="bilinear"),
                              "nn.Upsample{scale_factor = 2, mode = 'bilinear'}", image),
        "upsample_aligned": (nn.Upsample(size=(10, 3), mode="bilinear", align_corners=True),
                             "nn.Upsample{size = {10, 3}, mode = 'bilinear', align_corners = true}",
                             image),
        "avg_pool": (nn.AvgPool2d(2), "nn.AvgPool2d(2)", image),
        "avg_pool_padded": (nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
                            "nn.AvgPool2d(3, {stride = 2, padding = 1, count_include_pad = false})",
                            image),
        "max_pool": (nn.MaxPool2d(3, stride=2, padding=1), "nn.MaxPool2d(3, {stride = 2, padding = 1})",
                     image),
        "adaptive_avg_pool": (nn.AdaptiveAvgPool2d((3, 2)), "nn.AdaptiveAvgPool2d{3, 2}", image),
        "pixel_shuffle": (nn.PixelShuffle(2), "nn.PixelShuffle(2)", (2, 8, 3, 2)),
        "pixel_unshuffle": (nn.PixelUnshuffle(2), "nn.PixelUnshuffle(2)", (2, 2, 4, 6)),
        "relu": (nn.ReLU(), "nn.ReLU()", image),
        "leaky_relu": (nn.LeakyReLU(0.2), "nn.LeakyReLU(0.2)", image),
        "tanh": (nn.Tanh(), "nn.Tanh()", image),
        "sigmoid": (nn.Sigmoid(), "nn.Sigmoid()", image),
        "silu": (nn.SiLU(), "nn.SiLU()", image),
        "softplus": (nn.Softplus(), "nn.Softplus()", image),
        "elu": (nn.ELU(0.7), "nn.ELU(0.7)", image),
        "gelu": (nn.GELU(), "nn.GELU()", image),
        "gelu_tanh": (nn.GELU(approximate="tanh"), "nn.GELU{approximate = 'tanh'}", image),
        "prelu": (nn.PReLU(6), "nn.PReLU(6)", image),
        "softmax": (nn.Softmax(-1), "nn.Softmax()", (3, 5)),
        "log_softmax": (nn.LogSoftmax(-1), "nn.LogSoftmax()", (3, 5)),
        "sequential": (nn.Sequential(nn.Conv2d(6, 4, 3, padding=1), nn.BatchNorm2d(4),
                                     nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3)),
                       "nn.Sequential{nn.Conv2d(6, 4, 3, {padding = 1}), nn.BatchNorm2d(4),"
                       " nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3)}", image),
        "spectral": (nn.utils.spectral_norm(nn.Conv2d(6, 4, 3)),
                     "nn.spectral_norm(nn.Conv2d(6, 4, 3))", image),
        "spectral_transpose": (nn.utils.spectral_norm(nn.ConvTranspose2d(6, 4, 3)),
                               "nn.spectral_norm(nn.ConvTranspose2d(6, 4, 3))", image),
        "spectral_linear": (nn.utils.spectral_norm(nn.Linear(5, 4)),
                            "nn.spectral_norm(nn.Linear(5, 4))", (3, 5)),
    }


def layers():
    torch.manual_seed(1)
    tensors, metadata = {}, {}
    for name, (layer, lua, shape) in layer_cases().items():
        x = torch.randn(shape, requires_grad=True)
        with torch.no_grad():
            for p in layer.parameters():  # away from special values such as 0 and 1
                p.add_(torch.randn_like(p) * 0.1)
        for k, v in layer.state_dict().items():
            tensors[f"{name}/state/{k}"] = v.clone()
        y = layer(x)
        gy = torch.randn_like(y)
        (y * gy).sum().backward()
        tensors[f"{name}/x"] = nhwc(x)
        tensors[f"{name}/y"] = nhwc(y)
        tensors[f"{name}/gy"] = nhwc(gy)
        tensors[f"{name}/gx"] = nhwc(x.grad)
        for k, p in layer.named_parameters():
            tensors[f"{name}/grad/{k}"] = p.grad
        for k, v in layer.named_buffers():
            tensors[f"{name}/after/{k}"] = v.clone()
        if list(layer.buffers()):
            layer.eval()
            tensors[f"{name}/eval"] = nhwc(layer(x))
        metadata[name] = lua
    save("layers.safetensors", tensors, metadata)


# name: (torch function of x and t, Lua expression, shape of x, maker of t)
def function_cases():
    probability = lambda s: torch.rand(s)
    normal = lambda s: torch.randn(s)
    classes = lambda s: torch.randint(0, s[1], (s[0],))
    none = lambda s: None
    w = torch.tensor([0.5, 2.0, 1.0, 0.25])
    return {
        "mse": (lambda x, t: F.mse_loss(x, t), "F.mse_loss(x, t)", (4, 3), normal),
        "mse_sum": (lambda x, t: F.mse_loss(x, t, reduction="sum"),
                    "F.mse_loss(x, t, {reduction = 'sum'})", (4, 3), normal),
        "l1": (lambda x, t: F.l1_loss(x, t), "F.l1_loss(x, t)", (4, 3), normal),
        "smooth_l1": (lambda x, t: F.smooth_l1_loss(x, t, beta=0.5),
                      "F.smooth_l1_loss(x, t, {beta = 0.5})", (4, 3), normal),
        "bce_logits": (lambda x, t: F.binary_cross_entropy_with_logits(x * 30, t),
                       "F.bce_with_logits(x * 30, t)", (4, 3), probability),
        "bce_logits_weighted": (
            lambda x, t: F.binary_cross_entropy_with_logits(
                x, t, pos_weight=torch.tensor([0.5, 2.0, 3.0]), reduction="none").sum(),
            "F.bce_with_logits(x, t, {pos_weight = tensor.from{0.5, 2, 3}, reduction = 'none'}):sum()",
            (4, 3), probability),
        "bce": (lambda x, t: F.binary_cross_entropy(torch.sigmoid(x), t),
                "F.binary_cross_entropy(F.sigmoid(x), t)", (4, 3), probability),
        "cross_entropy": (lambda x, t: F.cross_entropy(x, t), "F.cross_entropy(x, t + 1)", (6, 4),
                          classes),
        "cross_entropy_options": (
            lambda x, t: F.cross_entropy(x, t, weight=w, label_smoothing=0.1),
            "F.cross_entropy(x, t + 1, {weight = tensor.from{0.5, 2, 1, 0.25}, label_smoothing = 0.1})",
            (6, 4), classes),
        "nll": (lambda x, t: F.nll_loss(F.log_softmax(x, 1), t, weight=w),
                "F.nll_loss(F.log_softmax(x), t + 1, {weight = tensor.from{0.5, 2, 1, 0.25}})", (6, 4),
                classes),
        "normalize": (lambda x, t: F.normalize(x, dim=-1), "F.normalize(x)", (4, 3), none),
        "normalize_l1": (lambda x, t: F.normalize(x, p=1, dim=0), "F.normalize(x, {p = 1, dim = 1})",
                         (4, 3), none),
        "pad": (lambda x, t: F.pad(x, (1, 2, 3, 0), value=0.5),
                "F.pad(x, {1, 2, 3, 0}, {value = 0.5})", (2, 3, 4, 5), none),
        "pad_reflect": (lambda x, t: F.pad(x, (1, 2, 3, 0), mode="reflect"),
                        "F.pad(x, {1, 2, 3, 0}, {mode = 'reflect'})", (2, 3, 4, 5), none),
        "pad_replicate": (lambda x, t: F.pad(x, (1, 2, 3, 0), mode="replicate"),
                          "F.pad(x, {1, 2, 3, 0}, {mode = 'replicate'})", (2, 3, 4, 5), none),
        "pad_circular": (lambda x, t: F.pad(x, (1, 2, 3, 0), mode="circular"),
                         "F.pad(x, {1, 2, 3, 0}, {mode = 'circular'})", (2, 3, 4, 5), none),
        "interpolate_factor": (lambda x, t: F.interpolate(x, scale_factor=1.7),
                               "F.interpolate(x, {scale_factor = 1.7})", (2, 3, 4, 5), none),
        "interpolate_bilinear": (
            lambda x, t: F.interpolate(x, scale_factor=(1.7, 0.6), mode="bilinear"),
            "F.interpolate(x, {scale_factor = {1.7, 0.6}, mode = 'bilinear'})", (2, 3, 4, 5), none),
        "var": (lambda x, t: x.var(1), "x:var(2)", (4, 3), none),
        "std": (lambda x, t: x.std(0, correction=0), "x:std(1, false, {correction = 0})", (4, 3), none),
        "prod": (lambda x, t: x.prod(1), "x:prod(2)", (4, 5), none),
        "max": (lambda x, t: x.max(1)[0], "(x:max(2))", (4, 5), none),
        "sort": (lambda x, t: x.sort(1)[0], "(x:sort(2))", (4, 5), none),
        "cumsum": (lambda x, t: x.cumsum(0), "x:cumsum(1)", (4, 5), none),
        "logsumexp": (lambda x, t: x.logsumexp(1), "x:logsumexp(2)", (4, 5), none),
        "norm": (lambda x, t: x.norm(dim=1), "x:norm(2)", (4, 5), none),
        "matmul": (lambda x, t: x @ t.transpose(-1, -2), "x:matmul(t:transpose(-1, -2))", (2, 4, 5),
                   normal),
    }


def functions():
    torch.manual_seed(2)
    tensors, metadata = {}, {}
    for name, (f, lua, shape, target) in function_cases().items():
        x = torch.randn(shape, requires_grad=True)
        t = target(shape)
        y = f(x, t)
        gy = torch.randn_like(y)
        (y * gy).sum().backward()
        tensors[f"{name}/x"] = nhwc(x)
        tensors[f"{name}/y"] = nhwc(y)
        tensors[f"{name}/gy"] = nhwc(gy)
        tensors[f"{name}/gx"] = nhwc(x.grad)
        if t is not None:
            tensors[f"{name}/t"] = t
        metadata[name] = lua
    save("functions.safetensors", tensors, metadata)


def optimisers():
    torch.manual_seed(3)
    cases = {
        "sgd": (torch.optim.SGD, dict(lr=0.1), "optim.SGD(p, {lr = 0.1})"),
        "sgd_momentum": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, dampening=0.2, weight_decay=0.01),
                         "optim.SGD(p, {lr = 0.1, momentum = 0.9, dampening = 0.2, weight_decay = 0.01})"),
        "sgd_nesterov": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True),
                         "optim.SGD(p, {lr = 0.1, momentum = 0.9, nesterov = true})"),
        "rmsprop": (torch.optim.RMSprop, dict(), "optim.RMSprop(p)"),
        "rmsprop_options": (
            torch.optim.RMSprop,
            dict(lr=0.02, alpha=0.9, eps=1e-6, momentum=0.5, weight_decay=0.1, centered=True),
            "optim.RMSprop(p, {lr = 0.02, alpha = 0.9, eps = 1e-6, momentum = 0.5, weight_decay = 0.1,"
            " centered = true})"),
        "adam": (torch.optim.Adam, dict(), "optim.Adam(p)"),
        "adam_options": (torch.optim.Adam, dict(lr=0.05, betas=(0.5, 0.99), eps=1e-4, weight_decay=0.1),
                         "optim.Adam(p, {lr = 0.05, betas = {0.5, 0.99}, eps = 1e-4,"
                         " weight_decay = 0.1})"),
        "adamw": (torch.optim.AdamW, dict(), "optim.AdamW(p)"),
        "adamw_options": (torch.optim.AdamW, dict(lr=0.05, betas=(0.5, 0.99), weight_decay=0.2),
                          "optim.AdamW(p, {lr = 0.05, betas = {0.5, 0.99}, weight_decay = 0.2})"),
    }
    tensors, metadata = {}, {}
    start, gradients = torch.randn(3, 5), torch.randn(6, 3, 5)
    tensors["start"], tensors["gradients"] = start, gradients
    for name, (make, options, lua) in cases.items():
        p = start.clone().requires_grad_()
        opt = make([p], **options)
        path = []
        for g in gradients:
            p.grad = g.clone()
            opt.step()
            path.append(p.detach().clone())
        tensors[f"{name}/path"] = torch.stack(path)
        metadata[name] = lua
    save("optimisers.safetensors", tensors, metadata)


def real_pictures(step, n):
    """The batch of one step, from a formula the Lua test repeats."""
    k = torch.arange(n * 32 * 32 * 3, dtype=torch.float64)
    return torch.sin(k * (0.37 + 0.01 * step) + 0.5 * step).reshape(n, 32, 32, 3)


def dcgan():
    torch.manual_seed(4)
    nz, width, batch, steps = 16, 8, 8, 20
    G = nn.Sequential(
        nn.ConvTranspose2d(nz, width * 4, 4, 1, 0, bias=False), nn.BatchNorm2d(width * 4), nn.ReLU(),
        nn.ConvTranspose2d(width * 4, width * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(width * 2),
        nn.ReLU(),
        nn.ConvTranspose2d(width * 2, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh())
    D = nn.Sequential(
        nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2),
        nn.Conv2d(width, width * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(width * 2), nn.LeakyReLU(0.2),
        nn.Conv2d(width * 2, width * 4, 4, 2, 1, bias=False), nn.BatchNorm2d(width * 4),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width * 4, 1, 4, 1, 0, bias=False))
    for net in (G, D):
        for m in net.modules():
            if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(m.weight, 0.0, 0.02)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.normal_(m.weight, 1.0, 0.02)
    tensors = {}
    for prefix, net in (("G", G), ("D", D)):
        for k, v in net.state_dict().items():
            tensors[f"{prefix}/{k}"] = v.clone()
    noise = torch.randn(steps, batch, nz)
    tensors["noise"] = noise
    G, D = G.double(), D.double()  # the true values; f32 must stay near them
    optG = torch.optim.Adam(G.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optD = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))
    loss = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(batch, dtype=torch.float64), torch.zeros(batch, dtype=torch.float64)
    losses = []
    for step in range(steps):
        real = real_pictures(step + 1, batch).permute(0, 3, 1, 2)
        z = noise[step].double().reshape(batch, nz, 1, 1)
        optD.zero_grad()
        d_real = loss(D(real).reshape(-1), ones)
        d_real.backward()
        fake = G(z)
        d_fake = loss(D(fake.detach()).reshape(-1), zeros)
        d_fake.backward()
        optD.step()
        optG.zero_grad()
        g = loss(D(fake).reshape(-1), ones)
        g.backward()
        optG.step()
        losses.append([d_real.item(), d_fake.item(), g.item()])
    tensors["losses"] = torch.tensor(losses, dtype=torch.float64)
    G.eval()
    tensors["painted_mean"] = G(z).mean((0, 2, 3)).detach()
    save("dcgan.safetensors", tensors, {"made with": "torch " + torch.__version__})


if __name__ == "__main__":
    layers()
    functions()
    optimisers()
    dcgan()
