-- The library's front door.
--
--     local daub = require "daub"
--     daub.seed(42)
--     local y = daub.no_grad(function() return net(x) end)
local autograd = require "daub.autograd"
local conv = require "daub.core.conv"
local options = require "daub.options"
local random = require "daub.tensor.random"
local system = require "daub.core.system"

local M = {}

M.version = system.version()

--- What runs here: {version, isa, bf16, threads, cores, blas, blas_core, libraries}.
M.info = system.info

--- Starts the default generator of random numbers anew.
---@param n integer|string a string for seeds beyond 2^53
M.seed = random.seed

--- The default generator's place, to be saved in a checkpoint, and back: {seed, counter} as
--- strings.
M.rng_state, M.set_rng_state = random.state, random.set_state

--- The number of threads, after setting it when n is given.
M.threads = system.threads

--- Whether convolutions are computed directly even where Winograd's filtering is faster, after
--- setting it when `flag` is given. Relative to the results' root mean square, errors are some 1e-6
--- with filtering, 3e-7 without.
---@param flag? boolean
---@return boolean
function M.exact(flag)
  if flag ~= nil then
    if type(flag) ~= "boolean" then
      options.misuse("exact: expected true or false, got " .. options.shown(flag))
    end
    conv.algorithm(flag and "direct" or "table")
  end
  return conv.algorithm() == "direct"
end

--- The precision of the heavy products, those of convolutions, after setting it when `name` is
--- given. "bf16" rounds what is multiplied to 8 bits of significand where that is faster: results
--- are then off by some 2e-3 of their root mean square. Sums are f32, and so is everything in
--- memory: weights, optimisers and all else do not change. Raises where the processor has no bf16
--- products (AVX-512-BF16; daub.info().bf16 tells).
---@param name? "f32"|"bf16"
---@return "f32"|"bf16"
function M.precision(name)
  if name ~= nil then options.choice("precision", "name", name, { "f32", "bf16" }) end
  return conv.precision(name)
end

--- Runs f(...) without recording for gradients; returns what f returns.
M.no_grad = autograd.no_grad
M.enable_grad = autograd.enable_grad

return M
