-- From the words of the command line to a run: a new one with its options, or an old one with its
-- own.
local catalogue = require "daub.looks.catalogue"
local conditions = require "daub.learn.conditions"
local core = require "daub.core.data"
local cover = require "daub.learn.networks.cover"
local dcgan = require "daub.learn.networks.dcgan"
local run = require "daub.learn.run"
local settings = require "daub.learn.settings"
local system = require "daub.core.system"
local themes = require "daub.looks.themes"

local M = {}

M.defaults = { size = { width = 192, height = 64 }, seed = 1 }

local SMALL = 2 ^ 13 -- pixels, up to which the tiny networks are enough

local networks = { dcgan = dcgan }
for name, network in pairs(cover.recipes) do networks[name] = network end

---What --set knows, for daub train --help.
---@return string
function M.notes() return settings.help(networks) end

---@param recipe string "dcgan", "tiny", "lite" or "base"
---@return table network fits, defaults, generator, critic, as in lua/daub/learn/networks/
function M.network(recipe)
  return networks[recipe] or error(("unknown recipe '%s'"):format(tostring(recipe)), 2)
end

---The networks for a size, where none are named.
---@param size {width: integer, height: integer}
---@return string recipe
function M.recipe(size) return size.width * size.height <= SMALL and "tiny" or "lite" end

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

---The critic of a checkpoint, to judge paintings by.
---@param options table of the run
---@param state table the checkpoint's
---@return daub.Module critic in eval mode
function M.critic(options, state)
  return M.network(options.recipe).critic(M.shape(options)):load_state(state.critic):eval()
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
  local size = o.size or M.defaults.size
  local recipe = o.recipe or M.recipe(size)
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

-- A run that went over to other pictures goes on with those.
local function strange(o, options)
  local real = system.realpath
  if options.history and not o.switch and real(o.collection) ~= real(options.collection) then
    return ("%s: the run learns from %s since it was switched (--switch %s goes over to that)")
      :format(o.collection, options.collection, o.collection)
  end
end

-- An old run, to go on with: on other pictures with o.switch.
local function old(o)
  local r, message, code = run.resume(o.out)
  if not r then return nil, message, code end
  settings.complete(r.options.settings)
  message = differing(o, r.options)
  message = message and message .. " (a run keeps its options; give another --out for a new one)"
    or strange(o, r.options)
  if not message and o.switch then message = select(2, r:switch(o.switch)) end
  if not message then return r end
  r:close()
  return nil, message
end

---The run `o.out`: made with o's options; with o.resume the one that is there (made if it is
---not); with o.switch the one that is there, on other pictures.
---@param o table out, collection; resume, switch (a collection), size, recipe, seed as given or
--- nil; set: list of pairs
---@return daub.learn.Run|nil run, string? message, string? code "usage" for options that are wrong
function M.run(o)
  if (o.resume or o.switch) and run.exists(o.out) then return old(o) end
  if o.switch then return nil, o.out .. ": no run here to go on with (train one first)" end
  local options, message, code = M.options(o)
  if not options then return nil, message, code end
  return run.create(o.out, options)
end

return M
