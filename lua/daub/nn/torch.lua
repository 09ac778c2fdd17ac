-- Weights in PyTorch's layout and names, to carry them there and back.
--
--     safetensors.save("g.safetensors", nn.torch.state(G))  -- there: load_state_dict(load_file(…))
--     nn.torch.load_state(G, safetensors.load("from_torch.safetensors"))
--
-- Convolution weights {kh, kw, in, out} are (out, in, kh, kw) there, in both directions of Conv2d
-- and ConvTranspose2d; Sequential counts from 0 there. A Linear that follows a Flatten of a picture
-- sees its inputs in another order in PyTorch (C, H, W): only the network's author can know, so it
-- stays.
local options = require "daub.options"

local M = {}

local function torch_name(child_of_sequential, name)
  return child_of_sequential and tostring(tonumber(name) - 1) or name
end

-- Calls visit(torch's name, tensor, whether it is a convolution's weight).
local function walk(module, prefix, visit)
  local sequential = module.type_name == "Sequential"
  local convolution = module.type_name == "Conv2d" or module.type_name == "ConvTranspose2d"
  for _, name in ipairs(module._names) do
    local value = rawget(module, name)
    if value then
      local full = prefix .. torch_name(sequential, name)
      if module._kinds[name] == "module" then
        walk(value, full .. ".", visit)
      else
        visit(full, value, convolution and #value.shape == 4)
      end
    end
  end
end

--- The module's state under PyTorch's names, in its layout.
---@return table<string, daub.Tensor>
function M.state(module)
  local s = {}
  walk(module, "", function(name, t, convolution)
    t = t:detach()
    s[name] = convolution and t:permute { 4, 3, 1, 2 }:contiguous() or t
  end)
  return s
end

--- Copies a state in PyTorch's names and layout into the module. Raises as load_state does.
---@param state table<string, daub.Tensor>
function M.load_state(module, state)
  local known, renamed, places = {}, {}, {}
  for name, t in module:named_parameters() do places[t] = name end
  for name, t in module:named_buffers() do places[t] = name end
  walk(module, "", function(name, t, convolution)
    local given = state[name]
    known[name] = true
    if given and convolution and #given.shape == 4 then given = given:permute { 3, 4, 2, 1 } end
    renamed[places[t]] = given
  end)
  for _, name in ipairs(options.sorted_keys(state)) do
    if not known[name] then renamed[name] = state[name] end
  end
  return module:load_state(renamed)
end

return M
