-- The pictures of a data export as people: each is an entry of its own, of the owner.
local M = {}

local endings = { jpg = true, jpeg = true, png = true, gif = true, webp = true, bmp = true }

---Whether a name is a picture's.
function M.is(name)
  return endings[(name:match("%.(%w+)$") or ""):lower()] == true
end

---@param files daub.collect.ExportFiles
---@param name string
---@param owner string?
---@return daub.collect.Person
function M.person(files, name, owner)
  return { key = files.path .. "//" .. name, handle = name, name = owner,
    cover = files:cover(name) }
end

return M
