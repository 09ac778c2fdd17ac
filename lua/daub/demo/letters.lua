-- Drawn letters: every glyph is a few strokes on a grid 4 wide and 6 high.
local M = {}

-- Strokes are separated by "|"; a point is two digits, x and y, with y downwards.
local glyphs = {
  A = "06 20 46|14 34", B = "00 06 36 45 44 33 03|00 30 41 42 33",
  C = "41 30 10 01 05 16 36 45", D = "00 06 26 44 42 20 00", E = "40 00 06 46|03 33",
  F = "40 00 06|03 33", G = "41 30 10 01 05 16 36 45 43 23", H = "00 06|40 46|03 43",
  I = "00 06", J = "40 45 36 16 05", K = "00 06|40 03 46", L = "00 06 36",
  M = "06 00 23 40 46", N = "06 00 46 40", O = "10 30 41 45 36 16 05 01 10",
  P = "06 00 30 41 42 33 03", Q = "10 30 41 45 36 16 05 01 10|34 46",
  R = "06 00 30 41 42 33 03|23 46", S = "41 30 10 01 02 13 33 44 45 36 16 05",
  T = "00 40|20 26", U = "00 05 16 36 45 40", V = "00 26 40", W = "00 16 23 36 40",
  X = "00 46|40 06", Y = "00 23 40|23 26", Z = "00 40 06 46",
  ["!"] = "00 04|06 06", ["."] = "06 06", ["'"] = "00 01",
  ["&"] = "46 02 01 10 20 31 32 04 05 16 26 43",
}

local GAP, SPACE = 1.6, 2.6 -- between letters and for a blank, in grid units

local function measure(glyph)
  local width = 0
  for x in glyph:gmatch("(%d)%d") do width = math.max(width, tonumber(x)) end
  return width
end

---Width of a line of text whose letters are `height` pixels high.
---@return number pixels
function M.width(text, height)
  local units = -GAP
  for character in text:upper():gmatch(".") do
    local glyph = glyphs[character]
    units = units + (glyph and measure(glyph) + GAP or SPACE)
  end
  return units * height / 6
end

---Draws one line; unknown characters are blanks.
---@param canvas daub.demo.Canvas
---@param text string
---@param o table left, top, height, thickness: pixels; colour; opacity (1); slant (0)
function M.draw(canvas, text, o)
  local unit, pen, slant = o.height / 6, o.left, o.slant or 0
  for character in text:upper():gmatch(".") do
    local glyph = glyphs[character]
    if glyph then
      local segments = {}
      for stroke in glyph:gmatch("[^|]+") do
        local px, py
        for x, y in stroke:gmatch("(%d)(%d)") do
          x, y = tonumber(x), tonumber(y)
          local cx, cy = pen + (x + slant * (6 - y)) * unit, o.top + y * unit
          if px then segments[#segments + 1] = { px, py, cx, cy } end
          px, py = cx, cy
        end
      end
      canvas:strokes(segments, o.thickness, o.colour, o.opacity)
      pen = pen + (measure(glyph) + GAP) * unit
    else
      pen = pen + SPACE * unit
    end
  end
end

return M
