-- What pictures are about, as far as that can be told without knowing anything: rules on their
-- traits give each a theme, "landscape", "text", "abstract" or "objects" (people, animals, things,
-- rooms: the rest), and k-means parts each theme in two clusters.
--
--     local themes = themes.fit(traits.of(pictures))       -- clusters of this collection
--     local cluster = themes:of(traits.of(more))           -- i64 {N}, 1 … 8
--     themes.name(3)                                       -- "text"
--
-- Clusters 1 and 2 are landscapes, 3 and 4 text and so on; those of a theme that the collection
-- lacks are empty.
local kmeans = require "daub.looks.kmeans"
local options = require "daub.options"
local tensor = require "daub.tensor"
local traits = require "daub.looks.traits"

local M = {}

M.names = { "landscape", "text", "abstract", "objects" }
M.clusters = 8

local EACH = M.clusters / #M.names -- clusters of a theme

-- What speaks for a theme, and what against it.
local RULES = {
  landscape = { layers = 3, light_above = 1, busy_below = 0.5, upright = -2, strokes = -1,
    grain = -1 },
  text = { contrast = 3, stroke_rows = 3, peaks = 1.5, strokes = 1, edges = 1, flat = 1,
    skin = -0.5 },
  abstract = { flat = 3, colours = -1, edges = -1, layers = -1, skin = -1, lightness = -1 },
  objects = { texture = 2, skin = 2, colours = 1, one_sided = 1, layers = -0.5, contrast = -0.5 },
}
local SCALE = 1.5                  -- makes the scores' deviation about 1
local MARGIN = { 0, 0.1, 0, 0.5 }  -- what a theme has in advance: most covers show things

---@class daub.looks.Themes
---@field centres daub.Tensor {clusters, 16}
local Themes = {}
Themes.__index = Themes

-- {N, 16} -> {N, 4}: how much each theme's rules say for it.
local function scores(found)
  local rows = {}
  for i, name in ipairs(M.names) do
    local row, sum = {}, 0
    for _, weight in pairs(RULES[name]) do sum = sum + math.abs(weight) end
    for j, trait in ipairs(traits.names) do row[j] = (RULES[name][trait] or 0) * SCALE / sum end
    rows[i] = row
  end
  return found:matmul(tensor.from(rows):t())
end

local function expect(op, found)
  if not tensor.is_tensor(found) or #found.shape ~= 2 or found.shape[2] ~= traits.count
    or found.shape[1] == 0 then
    options.misuse(("themes.%s: expected traits {N, %d}, got %s"):format(op, traits.count,
      tensor.is_tensor(found) and options.shape(found.shape) or options.shown(found)))
  end
  return found
end

---The theme of each picture by the rules alone.
---@param found daub.Tensor {N, 16} traits
---@return daub.Tensor i64 {N}, places in `names`
function M.by_rules(found)
  return (scores(expect("by_rules", found)) + tensor.from(MARGIN)):argmax(2)
end

---The name of a cluster.
---@param cluster integer
---@return string
function M.name(cluster) return M.names[math.ceil(cluster / EACH)] end

---Clusters of these pictures, the larger one of a theme first.
---@param found daub.Tensor {N, 16} traits
---@return daub.looks.Themes
function M.fit(found)
  local ruled, centres = M.by_rules(expect("fit", found)):totable(), {}
  for theme = 1, #M.names do
    local mine = {}
    for i, t in ipairs(ruled) do
      if t == theme then mine[#mine + 1] = i end
    end
    if mine[1] then
      local those = found:index_select(1, tensor.from(mine, { dtype = "i64" }))
      local two, index = kmeans.fit(those, EACH)
      local in_second = index:eq(2):to("f32"):mean():item()
      centres[theme] = in_second > 0.5 and two:flip(1) or two
    else
      centres[theme] = tensor.zeros { EACH, traits.count }
    end
  end
  return M.from { centres = tensor.cat(centres, 1) }
end

---The cluster of each picture.
---@param found daub.Tensor {N, 16} traits
---@return daub.Tensor i64 {N}
function Themes:of(found)
  local n, theme = found.shape[1], M.by_rules(found)
  local apart = (found:unsqueeze(2) - self.centres):square():sum(3) -- {N, clusters}
  local within = apart:reshape { n * #M.names, EACH }
    :index_select(1, tensor.arange(n, { dtype = "i64" }) * #M.names + theme)
  return (theme - 1) * EACH + within:argmin(2)
end

---What is saved, and what makes it again.
function Themes:state() return { centres = self.centres } end
---@return daub.looks.Themes
function M.from(state) return setmetatable({ centres = state.centres }, Themes) end

return M
