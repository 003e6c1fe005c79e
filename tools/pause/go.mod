module gitops/tools/pause

go 1.27.0

tool gitops/tools/pause
