-- Layers and networks, under PyTorch's names, options, defaults and initial distributions.
--
--     local D = nn.Sequential {
--       nn.Conv2d(3, 64, 4, { stride = 2, padding = 1 }), nn.LeakyReLU(0.2),
--       nn.Flatten(), nn.Linear(64 * 16 * 16, 1),
--     }
--     local y = D(x)
--
-- Files: module.lua (what a layer is), layers.lua, activations.lua, initialise.lua (nn.init),
-- spectral.lua (nn.spectral_norm), torch.lua (nn.torch: weights in PyTorch's layout).
local module = require "daub.nn.module"

local M = {
  class = module.class,
  Parameter = module.Parameter,
  is_module = module.is_module,
  init = require "daub.nn.initialise",
  spectral_norm = require "daub.nn.spectral",
  torch = require "daub.nn.torch",
}
for _, part in ipairs { "daub.nn.layers", "daub.nn.activations" } do
  for name, cls in pairs(require(part)) do M[name] = cls end
end

local options = require "daub.options"
return setmetatable(M, {
  __index = function(_, name)
    return options.misuse(("nn has no %s%s"):format(tostring(name), options.hint(name, M)))
  end,
})
