local sqlite = require "daub.core.sqlite"

local function memory(schema)
  local db = assert(sqlite.open(":memory:"))
  if schema then assert(db:exec(schema)) end
  return db
end

describe("sqlite", function()
  it("keeps strings, numbers, booleans and nil", function()
    local db = memory("create table t (a, b, c, d, e)")
    assert.equal(1, db:run("insert into t values (?, ?, ?, ?, ?)", { "x\0y", 7, 1.5, true, nil }))
    local row = db:row("select * from t")
    assert.same({ a = "x\0y", b = 7, c = 1.5, d = 1 }, row)
    assert.equal("integer", db:row("select typeof(b) as t from t").t)
    assert.equal(1, db:last_id())
  end)

  it("takes parameters by name and holes in lists", function()
    local db = memory("create table t (a, b)")
    db:run("insert into t values (:a, :b)", { b = 2 })
    db:run("insert into t values (?, ?)", { nil, 3 })
    local seen = {}
    for row in db:rows("select a, b from t order by b") do seen[#seen + 1] = { row.a, row.b } end
    assert.same({ { nil, 2 }, { nil, 3 } }, seen)
    assert.same({ x = 5, y = 4 }, db:row("select ?2 as x, ?1 as y", { 4, 5 }))
  end)

  it("counts changed rows", function()
    local db = memory("create table t (a unique); insert into t values (1), (2), (3)")
    assert.equal(3, db:run("update t set a = a + 10"))
    assert.equal(0, db:run("insert or ignore into t values (11)"))
    assert.equal(0, db:run("select * from t"))
    assert.is_false(db:row("select * from t where a = 99"))
  end)

  it("returns the world's failures with a code", function()
    local db = memory("create table t (a unique); insert into t values (1)")
    local ok, message, code = db:run("insert into t values (1)")
    assert.is_nil(ok)
    assert.matches("UNIQUE", message)
    assert.equal("constraint", code)
    ok, message, code = db:row("select a from nowhere")
    assert.is_nil(ok)
    assert.matches("nowhere", message)
    assert.equal("sql", code)
    ok, message, code = sqlite.open("/nowhere/at/all.db")
    assert.is_nil(ok)
    assert.matches("^/nowhere/at/all.db: ", message)
    assert.equal("io", code)
  end)

  it("refuses a file that is no database", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(("this is no database at all "):rep(100))
    file:close()
    local db = sqlite.open(path)
    local ok, _, code = db:exec("create table t (a)")
    assert.is_nil(ok)
    assert.equal("corrupt", code)
    db:close()
    os.remove(path)
  end)

  it("raises on misuse", function()
    local db = memory("create table t (a, b)")
    local function misuse(expected, ...)
      local arguments = { ... }
      assert.error_matches(function() db:run(unpack(arguments)) end, expected)
    end
    misuse("2 parameters expected", "insert into t values (?, ?)")
    misuse("2 parameters expected", "insert into t values (?, ?)", { 1, 2, 3 })
    misuse("no parameter :b", "insert into t values (:a, 1)", { b = 1 })
    misuse("parameter 1 is a table", "insert into t values (?, 1)", { {} })
    misuse("not finite", "insert into t values (?, 1)", { 0 / 0 })
    misuse("one statement", "delete from t; delete from t")
    misuse("empty statement", "  ")
  end)

  it("refuses integers a Lua number cannot hold", function()
    local db = memory("create table t (a); insert into t values (9007199254740993)")
    assert.error_matches(function() db:row("select a from t") end, "beyond 2%^53")
    assert.equal("9007199254740993", db:row("select cast(a as text) as a from t").a)
    db:run("insert into t values (?)", { 2 ^ 53 })
    assert.equal(2 ^ 53, db:row("select a from t where rowid = 2").a)
  end)

  it("lets loops over one statement nest and be left", function()
    local db = memory("create table t (a); insert into t values (1), (2), (3)")
    local pairs_seen = 0
    for _ in db:rows("select a from t") do
      for _ in db:rows("select a from t") do pairs_seen = pairs_seen + 1 end
    end
    assert.equal(9, pairs_seen)
    for i = 1, 500 do
      for row in db:rows("select a from t where a > ?", { i % 2 }) do
        if row.a == i % 2 + 1 then break end
        error("not the first row")
      end
    end
    collectgarbage()
    assert.equal(3, db:run("delete from t"))
  end)

  it("keeps few statements though many are used", function()
    local db = memory("create table t (a)")
    for i = 1, 500 do assert.equal(1, db:run("insert into t values (" .. i .. ")")) end
    assert.equal(500, db:row("select count(*) as n from t").n)
  end)

  it("says when it is closed", function()
    local db = memory("create table t (a); insert into t values (1), (2)")
    local next_row = db:rows("select a from t")
    next_row()
    db:close()
    db:close()
    assert.error_matches(function() next_row() end, "closed")
    assert.error_matches(function() db:run("select 1") end, "closed")
    assert.equal("database (closed)", tostring(db))
  end)

  it("keeps a database alive while its rows are read", function()
    local next_row = memory("create table t (a); insert into t values (1), (2)")
      :rows("select a from t")
    collectgarbage()
    collectgarbage()
    assert.equal(1, next_row().a)
    assert.equal(2, next_row().a)
    assert.is_nil(next_row())
  end)

  it("opens read-only without making a file", function()
    local path = os.tmpname()
    os.remove(path)
    assert.is_nil((sqlite.open(path, { readonly = true })))
    local db = assert(sqlite.open(path))
    db:exec("create table t (a)")
    db:close()
    db = assert(sqlite.open(path, { readonly = true }))
    local ok, _, code = db:run("insert into t values (1)")
    assert.is_nil(ok)
    assert.equal("readonly", code)
    db:close()
    os.remove(path)
  end)
end)
