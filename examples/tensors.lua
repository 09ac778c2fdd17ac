-- Tensors and gradients in thirty lines:  daub examples/tensors.lua
local autograd = require "daub.autograd"
local daub = require "daub"
local tensor = require "daub.tensor"

daub.seed(1)

-- A tensor is numbers with a shape; arithmetic goes element by element and broadcasts.
local x = tensor.from { { 1, 2, 3 }, { 4, 5, 6 } }
print(x * 10 + tensor.from { 1, 2, 3 })
print("mean of each column:", x:mean(1))
print("largest of each row, and where:", x:max(2))
print("rows 2 and 1:", x:index_select(1, { 2, 1 }))

-- Ask for a gradient, compute, and backward() fills it in: here a line fitted to points.
local xs = tensor.linspace(-1, 1, 50)
local ys = xs * 3 - 0.5 + tensor.randn { 50 } * 0.1
local slope = tensor.zeros({}, { requires_grad = true })
local offset = tensor.zeros({}, { requires_grad = true })
for _ = 1, 100 do
  slope.grad, offset.grad = nil, nil
  local loss = (xs * slope + offset - ys):square():mean()
  loss:backward()
  daub.no_grad(function()
    slope:sub_(slope.grad * 0.5)
    offset:sub_(offset.grad * 0.5)
  end)
end
print(("slope %.2f (3), offset %.2f (-0.5)"):format(slope:item(), offset:item()))

-- Gradients are tensors made by ops, so they have gradients, too: d²(x³)/dx² = 6x.
local at = tensor.from(2, { requires_grad = true })
local first = autograd.grad(at ^ 3, at, { create_graph = true })
print("second derivative of x^3 at 2:", autograd.grad(first, at):item())
