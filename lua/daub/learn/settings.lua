-- What a training run can be told with --set KEY=VALUE: names, defaults, what is allowed.
local augment = require "daub.learn.augment"
local nearest = require "daub.nearest"
local options = require "daub.options"
local system = require "daub.core.system"

local M = {}

local common = {
  batch = { 32, min = 1, max = 4096, whole = true, says = "pictures a step" },
  lr = { 2e-4, min = 0, max = 1, says = "learning rate" },
  lr_critic = { 0, min = 0, max = 1, says = "the critic's; 0: the same" },
  decay = { 0, min = 0, max = 1, says = "share of the run, at its end, in which both rates fall" },
  passes = { 0, min = 0, max = 1e6,
    says = "over the pictures, after which a run without --steps ends; 0: no end" },
  measure = { 0.02, min = 0, max = 1,
    says = "share of the run between two measurements; 0: none" },
  beta1 = { 0.5, min = 0, max = 0.9999, says = "of Adam" },
  beta2 = { 0.999, min = 0, max = 0.99999, says = "of Adam" },
  precision = { "f32", one_of = { "f32", "bf16" }, says = "of the products of convolutions" },
  loss = { "logistic", one_of = { "logistic", "hinge", "relativistic" }, says = "the game" },
  penalty = { 0, min = 0, max = 1000, says = "of the critic's slope, times the usual; 0: none" },
  augment = { "translation", words = true,
    says = "half of the pictures are changed: none, or "
      .. table.concat(augment.kinds, ",") },
  zoom = { 1, min = 0.25, max = 1,
    says = "every other picture is a random part, this share or more of each side" },
  mirror = { 0, min = 0, max = 1, whole = true,
    says = "1: every other picture is turned left to right" },
}

-- What not every network has, or each with a default of its own.
local special = {
  latent = "numbers that a painting is made from",
  widths = "tiny, lite, base: channels, in percent",
  ngf = "dcgan: channels of the painter's last level",
  ndf = "dcgan: channels of the critic's first level",
  flavour = "tiny, lite, base: the critic, with rates and a game of its own",
  handover = "tiny, lite, base: when a steady critic takes over, share of the run; 1: never",
  condition = "tiny, lite, base: what both networks are told",
}

local function declared(network)
  local known = {}
  for key, entry in pairs(common) do known[key] = entry end
  for key, default in pairs(network.defaults) do
    known[key] = { default, min = 1, max = 4096, whole = true }
  end
  if network.flavours then
    known.flavour = { "swift", one_of = options.sorted_keys(network.flavours) }
    known.handover = { 1, min = 0.01, max = 1 }
  end
  if network.conditions then known.condition = { "both", one_of = network.conditions } end
  return known
end

local function range(entry)
  return ("%s from %g to %g"):format(entry.whole and "a whole number" or "a number", entry.min,
    entry.max)
end

-- The value a word stands for; nil and what was expected otherwise.
local function read(entry, word)
  if entry.words then
    local kinds, message = augment.parse(word)
    return kinds and word, message
  elseif entry.one_of then
    for _, choice in ipairs(entry.one_of) do
      if choice == word then return word end
    end
    return nil, table.concat(entry.one_of, " or ") .. " expected"
  end
  local n = tonumber(word)
  if not n or n < entry.min or n > entry.max or (entry.whole and n % 1 ~= 0) then
    return nil, range(entry) .. " expected"
  end
  return n
end

---Names of everything --set knows for a network, sorted, with defaults: for help.
---@param network table
---@return string[] "batch=32", …
function M.describe(network)
  local list = {}
  for key, entry in pairs(declared(network)) do
    list[#list + 1] = key .. "=" .. tostring(entry[1])
  end
  table.sort(list)
  return list
end

---What --set knows, one line a setting: for daub train --help.
---@param networks table<string, table> by recipe
---@return string
function M.help(networks)
  local defaults, known = {}, {}
  for _, recipe in ipairs(options.sorted_keys(networks)) do
    for key, entry in pairs(declared(networks[recipe])) do
      local values = defaults[key] or {}
      values[tostring(entry[1])] = true
      defaults[key], known[key] = values, entry
    end
  end
  local lines = { "--set, with its defaults (without --steps, batch, decay, passes and augment are "
    .. "chosen):" }
  for _, key in ipairs(options.sorted_keys(known)) do
    local choices = known[key].one_of
    lines[#lines + 1] = ("  %-20s%s%s"):format(
      key .. "=" .. table.concat(options.sorted_keys(defaults[key]), " or "),
      known[key].says or special[key], choices and ": " .. table.concat(choices, ", ") or "")
  end
  return table.concat(lines, "\n")
end

---What the flavour that --set names says where --set says nothing.
---@param pairs_given {key: string, value: string}[]
---@param network table
---@return table<string, any>
function M.flavoured(pairs_given, network)
  local chosen = "swift"
  for _, pair in ipairs(pairs_given) do
    if pair.key == "flavour" then chosen = pair.value end
  end
  return network.flavours and network.flavours[chosen] or {}
end

---Gives an older run's settings what has come since, at its default.
---@param settings table
function M.complete(settings)
  for key, entry in pairs(common) do
    if settings[key] == nil then settings[key] = entry[1] end
  end
end

---All settings of a run from --set's pairs.
---@param pairs_given {key: string, value: string}[]
---@param network table
---@return table|nil settings, string? message
function M.read(pairs_given, network)
  local known, settings, names = declared(network), {}, {}
  local own = M.flavoured(pairs_given, network)
  for key, entry in pairs(known) do
    settings[key] = own[key] or entry[1]
    names[#names + 1] = key
  end
  for _, pair in ipairs(pairs_given) do
    local entry = known[pair.key]
    if not entry then
      return nil, ("--set %s: unknown%s (known: %s)"):format(pair.key,
        nearest.hint(pair.key, names), table.concat(M.describe(network), " "))
    end
    local value, message = read(entry, pair.value)
    if value == "bf16" and not system.info().bf16 then
      value, message = nil, "this processor has no bf16 products (f32 expected)"
    end
    if value == nil then return nil, ("--set %s=%s: %s"):format(pair.key, pair.value, message) end
    settings[pair.key] = value
  end
  if settings.flavour == "steady" and settings.handover < 1 then
    return nil, "--set handover: a critic hands over to steady's, and this one is steady's already"
  end
  return settings
end

return M
