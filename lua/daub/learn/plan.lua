-- From the words of the command line to a run: a new one with its options, or an old one with its
-- own.
local catalogue = require "daub.looks.catalogue"
local conditions = require "daub.learn.conditions"
local core = require "daub.core.data"
local cover = require "daub.learn.networks.cover"
local dcgan = require "daub.learn.networks.dcgan"
local run = require "daub.learn.run"
local settings = require "daub.learn.settings"
local themes = require "daub.looks.themes"

local M = {}

M.defaults = { size = { width = 192, height = 64 }, recipe = "dcgan", seed = 1 }

local networks = { dcgan = dcgan }
for name, network in pairs(cover.recipes) do networks[name] = network end

---@param recipe string "dcgan", "tiny", "lite" or "base"
---@return table network fits, defaults, generator, critic, as in lua/daub/learn/networks/
function M.network(recipe)
  return networks[recipe] or error(("unknown recipe '%s'"):format(tostring(recipe)), 2)
end

---What a network's functions are given: its settings, and the size of the pictures.
---@param options table of a run
function M.shape(options)
  local shape = { width = options.size.width, height = options.size.height }
  for key, value in pairs(options.settings) do shape[key] = value end
  for key in pairs(M.network(options.recipe).defaults) do
    if shape[key] == nil then
      error(("the run has no setting '%s', which %s needs: another version of daub made it")
        :format(key, options.recipe), 0)
    end
  end
  return shape
end

---The averaged generator of a run, as a checkpoint has it, to paint from latents {N, latent}.
---@param options table of the run
---@param state table the checkpoint's
---@param o? {theme: string|nil, palette: daub.Tensor|nil} what a run with conditions is told
---@return daub.Module|nil painter in eval mode; nil when no picture learnt from has the theme
---@return string? message
function M.painter(options, state, o)
  local network = M.network(options.recipe).generator(M.shape(options))
  network:load_state(state.average):eval()
  return conditions.painter(network, state, { latent = options.settings.latent,
    theme = o and o.theme, palette = o and o.palette })
end

---The clusters that tell themes apart as a run has them: those it was told of, or else those of
---the pictures it learnt from.
---@param state table a checkpoint's
---@param path string|nil the packed dataset of those pictures
---@return daub.looks.Themes|nil themes, string? message
function M.themes(state, path)
  if state.conditions then return themes.from(state.conditions.themes) end
  local dataset = path and core.open(path)
  if not dataset then
    return nil, "--theme: the pictures that the run learnt from are gone; they tell themes apart"
  end
  local looks, message = catalogue.open(dataset, path)
  dataset:close()
  return looks and looks.themes, message
end

---The options of a new run, checked.
---@param o table collection, recipe, size {width, height}, seed as given or nil; set: list of pairs
---@return table|nil options, string? message, string? code "usage"
function M.options(o)
  local recipe, size = o.recipe or M.defaults.recipe, o.size or M.defaults.size
  local network = M.network(recipe)
  local chosen, message = settings.read(o.set, network)
  if not chosen then return nil, message, "usage" end
  local fits
  fits, message = network.fits(size.width, size.height)
  if size.width * size.height > 2 ^ 22 then fits, message = false, "at most 4 megapixels" end
  if not fits then
    return nil, ("--size %dx%d: %s"):format(size.width, size.height, message), "usage"
  end
  return { collection = o.collection, recipe = recipe, seed = o.seed or M.defaults.seed,
    size = { width = size.width, height = size.height }, settings = chosen }
end

-- An option given again must be what the run has; the message names the first that is not.
local function differing(o, options)
  local given = { recipe = o.recipe, seed = o.seed }
  for _, key in ipairs { "recipe", "seed" } do
    if given[key] and given[key] ~= options[key] then
      return ("--%s %s: the run has %s"):format(key, given[key], options[key])
    end
  end
  local size = options.size
  if o.size and (o.size.width ~= size.width or o.size.height ~= size.height) then
    return ("--size %dx%d: the run has %dx%d"):format(o.size.width, o.size.height, size.width,
      size.height)
  end
  for _, pair in ipairs(o.set) do
    local mine = options.settings[pair.key]
    if tostring(mine) ~= pair.value and (mine == nil or mine ~= tonumber(pair.value)) then
      return ("--set %s=%s: the run has %s"):format(pair.key, pair.value, tostring(mine))
    end
  end
end

---The run `o.out`: made with o's options, or with o.resume the one that is there (made if it is
---not).
---@param o table out, collection; resume, size, recipe, seed as given or nil; set: list of pairs
---@return daub.learn.Run|nil run, string? message, string? code "usage" for options that are wrong
function M.run(o)
  if o.resume and run.exists(o.out) then
    local r, message = run.resume(o.out)
    if not r then return nil, message end
    settings.complete(r.options.settings)
    message = differing(o, r.options)
    if message then
      r:close()
      return nil, message .. " (a run keeps its options; give another --out for a new one)"
    end
    return r
  end
  local options, message, code = M.options(o)
  if not options then return nil, message, code end
  return run.create(o.out, options)
end

return M
