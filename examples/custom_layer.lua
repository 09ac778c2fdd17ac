-- A layer of one's own, and a network made of it:  daub examples/custom_layer.lua
-- The layer lets each channel's mean over the picture decide how much of the channel goes on
-- (squeeze and excitation, Hu et al. 2018).
local autograd = require "daub.autograd"
local daub = require "daub"
local nn = require "daub.nn"
local optim = require "daub.optim"
local F = require "daub.ops"
local tensor = require "daub.tensor"

local Gate = nn.class "Gate"

function Gate:init(channels, hidden)
  self.squeeze = nn.Linear(channels, hidden)                   -- layers are children
  self.excite = nn.Linear(hidden, channels)
  self.floor = nn.Parameter(tensor.full({ channels }, 0.1))    -- a leaf tensor is a parameter
end

function Gate:forward(x)                                       -- x {N, H, W, C}
  local open = self.excite(self.squeeze(x:mean { 2, 3 }):relu()):sigmoid()
  return x * (open + self.floor):reshape { x.shape[1], 1, 1, -1 }
end

daub.seed(1)
local net = nn.Sequential {
  nn.Conv2d(3, 8, 3, { padding = 1 }), Gate(8, 4), nn.LeakyReLU(0.2),
  nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1),
}
print(net)
print(net:count_parameters() .. " numbers to learn")

-- Is a gradient right? Compare with finite differences, in double precision.
local gate = Gate(4, 2):to "f64"
local x = tensor.randn({ 2, 3, 3, 4 }, { dtype = "f64", requires_grad = true })
print("gradients of the layer agree with differences:", autograd.check(gate, x, { order = 2 }))

-- Teach it to tell reddish pictures from bluish ones.
local opt = optim.Adam(net:parameters(), { lr = 0.01 })
for step = 1, 60 do
  local red = tensor.randint(0, 2, { 16, 1 }):to "f32"
  local tint = tensor.stack({ red, red * 0 + 0.5, 1 - red }, 2):reshape { 16, 1, 1, 3 }
  local pictures = tensor.rand { 16, 8, 8, 3 } + tint
  local loss = F.bce_with_logits(net(pictures), red)
  opt:zero_grad()
  loss:backward()
  opt:step()
  if step % 20 == 0 then print(("step %d, loss %.3f"):format(step, loss:item())) end
end

-- A wrong shape is told with the layer it met.
print(select(2, pcall(net, tensor.zeros { 1, 8, 8, 4 })))
