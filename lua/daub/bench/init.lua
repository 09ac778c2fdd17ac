-- All benchmarks, in the order they are measured.
local M = {}

-- A group is made only when its names are asked for: some have to be found by running networks.
local groups = {
  { "kernel.", "daub.bench.kernels" },
  { "conv.", "daub.bench.convolutions" },
  { "", "daub.bench.steps" },
  { "penalty.", "daub.bench.penalty" },
  { "mlp.", "daub.bench.mlp" },
  { "paint.", "daub.bench.paint" },
  { "data.", "daub.bench.data" },
  { "collect.", "daub.bench.collect" },
  { "memory.", "daub.bench.memory" },
  { "pytorch.", "daub.bench.pytorch" },
}

local function begins(text, beginning) return text:sub(1, #beginning) == beginning end

---Those whose names begin so.
---@param beginning string
---@return daub.bench.Entry[]
function M.list(beginning)
  local list = {}
  for _, group in ipairs(groups) do
    local prefix, path = unpack(group)
    if begins(prefix, beginning) or begins(beginning, prefix) then
      for _, entry in ipairs(require(path).list()) do
        if begins(entry.name, beginning) then list[#list + 1] = entry end
      end
    end
  end
  return list
end

return M
