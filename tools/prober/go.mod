module gitops/tools/prober

go 1.27.0

tool gitops/tools/prober
