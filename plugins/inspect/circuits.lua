return {
  name = "circuits", kind = "inspect",
  doc = "Attention heads by their weights alone: norms, QK and OV circuits, copying, dead heads, how alike the kv "
    .. "groups are, and if asked composition.",
  paper = "transformer-circuits.pub/2021/framework",
  cost = "small products for each head; copying takes vocabulary * hidden^2 once",
  params = {
    copying = {0.3, min = -1, max = 1, doc = "score from which a head is listed as copying"},
    composition = {false, doc = "compositions of heads too: a large product for every pair of layers"},
    seed = {1, type = "integer", min = 0, doc = "of sampled tokens and random baselines"},
  },
  -- layers, heads, kv_heads; a grid for each statistic (head h of layer l at [l + 1][h + 1]); group_k, group_v: by
  -- layer, group by group; dead_heads, copying_heads: lists of {layer, head}
  model = function(m, p)
    local a = wb.attention(m, {seed = p.seed})
    local out = {layers = a.layers, heads = a.heads, kv_heads = a.kv_heads, group_k = a:group_similarity "k",
      group_v = a:group_similarity "v", dead_heads = {}, copying_heads = {}}
    for _, info in ipairs(a.names()) do
      if info.weights and (p.composition or not info.pairs) then out[info.name] = a:stat(info.name) end
    end
    for l = 1, a.layers do
      for h = 1, a.heads do
        if out.dead[l][h] == 1 then table.insert(out.dead_heads, {l - 1, h - 1}) end
        if out.copying[l][h] >= p.copying then table.insert(out.copying_heads, {l - 1, h - 1}) end
      end
    end
    return out
  end,
}
