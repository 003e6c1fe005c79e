module gitops/tools/miniredis

go 1.27.0

tool gitops/tools/miniredis

require github.com/alicebob/miniredis/v2 v2.39.0

require github.com/yuin/gopher-lua v1.1.1 // indirect
