std = "luajit"
max_line_length = 100
files["tests/lua"] = { std = "+busted" }
exclude_files = { "lua/daub/_meta" }
