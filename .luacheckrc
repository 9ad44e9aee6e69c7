std = "lua54"
cache = false
max_line_length = 120
max_string_line_length = false -- docs and messages stay greppable
read_globals = {"wb"} -- what the sandbox gives to scripts and plugins
