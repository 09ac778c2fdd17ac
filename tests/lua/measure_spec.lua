-- Measuring: what is held out, distances with known answers, and what `daub measure` says.
local data = require "daub.learn.data"
local system = require "daub.core.system"

local function numbered(count)
  local list = {}
  for i = 1, count do list[i] = { path = "p" .. i, sha256 = system.sha256(tostring(i)) } end
  return list
end

describe("the held-out tenth", function()
  it("is a tenth, 100 or a fifth, and nothing of very few", function()
    for count, expected in pairs { [2000] = 200, [700] = 100, [300] = 60, [40] = 8, [39] = 0, [0] = 0 } do
      local train, held = data.split(numbered(count))
      assert.same({ count - expected, expected }, { #train, #held })
    end
  end)

  it("does not hang on the order, nor changes much when pictures are added", function()
    local pictures, backwards, chosen = numbered(1200), {}, {}
    for i, picture in ipairs(pictures) do backwards[#pictures + 1 - i] = picture end
    local train, held = data.split(pictures)
    for _, picture in ipairs(held) do chosen[picture] = true end
    for _, picture in ipairs(train) do assert.is_nil(chosen[picture]) end
    assert.is_true(held[1] == pictures[1] or train[1] == pictures[1]) -- the order given
    for _, picture in ipairs(select(2, data.split(backwards))) do assert.is_true(chosen[picture]) end
    local more = numbered(1300)
    local again, same = select(2, data.split(more)), 0
    local before = {}
    for _, picture in ipairs(held) do before[picture.sha256] = true end
    for _, picture in ipairs(again) do same = same + (before[picture.sha256] and 1 or 0) end
    assert.is_true(same >= 0.9 * #held, same .. " of " .. #held)
  end)
end)
