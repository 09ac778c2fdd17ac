-- Enlarging a batch by a whole factor without a network: what the learnt one is added to and
-- measured against.
local image = require "daub.image"
local tensor = require "daub.tensor"

---@param x daub.Tensor f32 {N, H, W, 3}
---@param factor integer
---@return daub.Tensor {N, H * factor, W * factor, 3}
return function(x, factor)
  local list = {}
  for i = 1, x.shape[1] do
    list[i] = image.resize(x:select(1, i), x.shape[3] * factor, x.shape[2] * factor,
      { filter = "lanczos3" })
  end
  return tensor.stack(list)
end
