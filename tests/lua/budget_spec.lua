-- What is trained when only the time is given: the decisions, the plan that is printed, the end.
local budget = require "daub.learn.budget"
local fixture = require "support.learning"
local json = require "daub.json"
local plan = require "daub.learn.plan"
local run = require "daub.learn.run"
local system = require "daub.core.system"

describe("a budget", function()
  local time, pace, timed = budget.time, nil, nil
  -- Steps take as long as the costs of the table say, `pace` seconds for a picture of tiny.
  before_each(function()
    timed = 0
    function budget.time(options)
      timed = timed + 1
      for _, entry in ipairs(budget.networks) do
        if entry.recipe == options.recipe and entry.width == options.size.width then
          return pace * entry.cost * options.settings.batch
        end
      end
      return pace * options.settings.batch
    end
  end)
  after_each(function() budget.time = time end)

  local function choose(o, count, seconds)
    o.set, o.out, pace = o.set or {}, "/no/such/run", seconds
    local given, planned = budget.choose(o, count)
    local options = given and assert(plan.options(given))
    return options, planned, given
  end

  it("takes the finest network that can be shown enough", function()
    for _, case in ipairs { { 60, "lite", 192 }, { 5, "tiny", 96 }, { 600, "base", 192 } } do
      local options, planned = choose({ minutes = case[1] }, 3544, 0.006)
      assert.are.same({ case[2], case[3] }, { options.recipe, options.size.width })
      assert.are.equal(case[2], planned.recipe)
    end
    assert.are.equal("tiny", choose({ minutes = 60 }, 3544, 0.03).recipe) -- a slow machine
    assert.are.equal("lite", (choose({}, 3544, 0.006)).recipe)            -- an hour unless given
  end)

  it("promises what its measurement says", function()
    local _, p = choose({ minutes = 60 }, 3544, 0.006)
    assert.near(0.006 * 2.6 * 32, p.step_seconds, 1e-9)
    assert.near(3600 * 0.93 / p.step_seconds, p.steps, 2)
    assert.are.equal(p.steps * 32, p.pictures)
    assert.near(p.pictures / 3544, p.passes, 1e-9)
    local text = table.concat(budget.lines(p), "\n")
    assert.truthy(text:match("lite networks paint 192x64; 0.499 s a step of 32 pictures"), text)
    assert.truthy(text:match("1 h 00 min: 6,7%d%d steps or so, 21%d,%d+ pictures shown, 60.%d pass"
      .. "es over 3,544; done at %d%d:%d%d"), text)
    assert.truthy(text:match("learning rate 0.0002, the critic's 0.0001, falling over the last "
      .. "25 %%"), text)
  end)

  it("makes the batch smaller when steps would be few", function()
    for minutes, batch in pairs { [60] = 32, [3] = 16, [0.5] = 8 } do
      assert.are.equal(batch, choose({ minutes = minutes, recipe = "tiny" }, 3544,
        0.006).settings.batch)
    end
  end)

  it("changes pictures that are seen often, not those that are seen a few times", function()
    local often, p = choose({ minutes = 60 }, 3544, 0.006)
    assert.is_true(p.passes > 40)
    assert.are.equal("translation", often.settings.augment)
    local seldom
    seldom, p = choose({ minutes = 8, recipe = "tiny" }, 3544, 0.006)
    assert.is_true(p.passes < 40)
    assert.are.same({ "none", "none" }, { seldom.settings.augment, p.augment })
    local given = choose({ minutes = 8, recipe = "tiny",
      set = { { key = "augment", value = "colour" } } }, 3544, 0.006)
    assert.are.equal("colour", given.settings.augment)
  end)

  it("ends before few pictures are known by heart", function()
    assert.are.equal(0, choose({ minutes = 60 }, 3544, 0.006).settings.passes)
    local few, p = choose({ minutes = 60 }, 400, 0.006)
    assert.are.same({ "translation", 150 }, { few.settings.augment, few.settings.passes })
    assert.are.equal(math.ceil(150 * 400 / 32), p.steps)
    assert.near(p.steps * p.step_seconds / 0.93 / 60, p.minutes, 0.1)
    assert.is_true(p.minutes < 20)
  end)

  it("keeps what is given, and chooses the rest for it", function()
    local options = choose({ minutes = 60, size = { width = 384, height = 128 }, seed = 5,
      set = { { key = "batch", value = "4" }, { key = "decay", value = "0" } } }, 400, 0.006)
    assert.are.same({ "lite", 384, 5, 4, 0, 150 }, { options.recipe, options.size.width,
      options.seed, options.settings.batch, options.settings.decay, options.settings.passes })
    assert.are.equal(1, timed)
    options = choose({ minutes = 1, recipe = "base" }, 3544, 0.006)
    assert.are.same({ "base", 192 }, { options.recipe, options.size.width })
    assert.are.equal("dcgan", choose({ minutes = 60, recipe = "dcgan" }, 3544, 0.006).recipe)
    options = choose({ minutes = 60, set = { { key = "flavour", value = "steady" } } }, 3544, 0.006)
    assert.are.equal(1, options.settings.decay) -- steady's own
  end)

  it("chooses nothing where steps are given, and passes on what is wrong", function()
    local o = { steps = 10, set = {}, out = "/no/such/run" }
    assert.are.equal(o, (budget.choose(o, 3544)))
    assert.are.equal(0, timed)
    local given, message, code = budget.choose({ set = { { key = "btach", value = "4" } },
      out = "/no/such/run" }, 3544)
    assert.is_nil(given)
    assert.truthy(message:match("did you mean.-batch"))
    assert.are.equal("usage", code)
    assert.are.equal(0, timed)
  end)

  it("times real steps", function()
    budget.time = time
    local options = assert(plan.options { recipe = "lite", size = { width = 32, height = 16 },
      set = { { key = "batch", value = "4" }, { key = "widths", value = "10" } } })
    local begun = system.now()
    local seconds = budget.time(options, 0.05)
    assert.is_true(seconds > 0 and seconds <= system.now() - begun)
  end)
end)

describe("daub train for some minutes", function()
  local folder, pictures
  setup(function()
    pictures = fixture.pictures(60)
    folder = system.temporary_directory("daub-minutes")
  end)
  teardown(function()
    fixture.remove(folder)
    fixture.remove(pictures)
  end)

  local function logged(out, event)
    local found
    for _, entry in ipairs(run.read(folder .. "/" .. out):entries()) do
      if entry.event == event then found = entry end
    end
    return found
  end

  it("prints its plan before it starts, writes it down, and ends in time", function()
    local code, out, err = fixture.daub { "train", pictures, "--out", folder .. "/run",
      "--size", "32x16", "--set", "widths=10", "--set", "batch=4", "--minutes", "0.1", "--json" }
    assert.are.equal(0, code, err)
    local first = json.decode(out:match("^[^\n]+"))
    assert.are.same({ "plan", "tiny", 4, 48 }, { first.event, first.recipe, first.batch,
      first.learnt })
    assert.truthy(err:match("plan: the tiny networks paint 32x16"), err)
    local chosen = run.read(folder .. "/run").options
    assert.are.same({ "tiny", 150, first.augment, 0.25 }, { chosen.recipe,
      chosen.settings.passes, chosen.settings.augment, chosen.settings.decay })
    local ended = logged("run", "end")
    assert.are.equal(first.steps, ended.planned_steps)
    assert.are.equal(first.step_seconds, ended.planned_step_seconds)
    assert.is_true(ended.step_seconds > 0)
    assert.are.equal(ended.step, (run.read(folder .. "/run"):latest()))
    assert.are.equal(ended.step, logged("run", "measured").step)
  end)

  it("says when steps take longer than planned", function()
    local out = folder .. "/slow"
    assert.are.equal(0, fixture.train(pictures, out, fixture.small.lite .. " --steps 1"))
    local r = run.read(out)
    r:log { event = "plan", steps = 100, step_seconds = 1e-6 }
    r:close()
    local words = { "train", pictures, "--out", out, "--resume", "--steps", "4" }
    local code, _, err = fixture.daub(words)
    assert.are.equal(0, code)
    assert.truthy(err:match("slower than planned: [%d.e-]+ s a step, not 1e%-06"), err)
    assert.are.equal(100, logged("slow", "end").planned_steps)
  end)

  it("goes on to where it went before", function()
    local out = folder .. "/goal"
    local process = fixture.start(pictures, out,
      fixture.small.lite .. " --steps 30 --save-every 0 --json")
    local text = ""
    repeat text = text .. assert(process:read(60)) until text:find('"saved"', 1, true)
    process:kill("int")
    process:wait(60)
    process:close()
    assert.are.equal(0, fixture.train(pictures, out, "--resume"))
    assert.are.equal(30, (run.read(out):latest()))
    assert.are.same({ minutes = 60 }, run.read(out):goal({ minutes = 60 }, 5))
  end)

  it("ends after its passes, unless steps are given", function()
    assert.are.equal(0, fixture.train(pictures, folder .. "/passes", "--size 32x16 --set widths=10 "
      .. "--set batch=4 --set passes=2 --minutes 5"))
    assert.are.equal(24, (run.read(folder .. "/passes"):latest())) -- 48 pictures, twice
    assert.are.equal(0, fixture.train(pictures, folder .. "/passes", "--resume --steps 26"))
    assert.are.equal(26, (run.read(folder .. "/passes"):latest()))
  end)
end)

describe("daub train --switch", function()
  local folder, first, second
  setup(function()
    first, folder = fixture.pictures(60), system.temporary_directory("daub-switch")
    second = fixture.pictures(70)
  end)
  teardown(function()
    for _, path in ipairs { folder, first, second } do fixture.remove(path) end
  end)

  it("goes on with other pictures, whose floors and best are its own", function()
    local out = folder .. "/run"
    assert.are.equal(0, fixture.train(first, out, fixture.small.lite .. " --steps 20"))
    local words = { "train", "--out", out, "--switch", second, "--steps", "40", "--quiet" }
    local code, _, err = fixture.daub(words)
    assert.are.equal(0, code, err)
    local r = run.read(out)
    assert.are.same({ { collection = first, steps = 20 } }, r.options.history)
    assert.are.equal(second, r.options.collection)
    assert.are.equal(40, (r:best()))
    assert.is_table(system.stat(r:file(20)), "the old best is kept until there are three new ones")
    local starts, floors = {}, {}
    for _, entry in ipairs(r:entries()) do
      if entry.event == "start" then starts[#starts + 1] = entry.pictures end
      if entry.event == "measured" then floors[#floors + 1] = entry.floors.swd end
    end
    assert.are.same({ 48, 56 }, starts)
    assert.are_not.equal(floors[1], floors[2])

    code, err = fixture.train(first, out, "--resume --steps 41")
    assert.are.equal(1, code)
    assert.truthy(err:match("^daub: train: [^\n]*learns from [^\n]*%-%-switch"), err)
  end)

  it("ends in the same bytes after a stop", function()
    local out = folder .. "/stopped"
    assert.are.equal(0, fixture.train(first, out, fixture.small.lite .. " --steps 20"))
    local process = fixture.start(second, out, "--switch " .. second
      .. " --steps 40 --save-every 0 --json")
    local text = ""
    repeat text = text .. assert(process:read(60)) until text:find('"saved".*"step":2[3-9]')
    process:kill("int")
    assert.are.equal(130, process:wait(60))
    process:close()
    assert.are.equal(0, fixture.train(second, out, "--resume --steps 40"))
    local r = run.read(out)
    assert.are.equal(1, #r.options.history)
    assert.are.equal(system.sha256_file(run.read(folder .. "/run"):file(40)),
      system.sha256_file(r:file(40)))
  end)

  it("needs a run", function()
    local code, _, err = fixture.daub { "train", "--out", folder .. "/none", "--switch", first }
    assert.are.equal(1, code)
    assert.truthy(err:match("^daub: train: [^\n]*no run here"), err)
    code, _, err = fixture.daub { "train", "--out", folder .. "/none" }
    assert.are.equal(2, code)
    assert.truthy(err:match("COLLECTION is missing"), err)
  end)
end)
