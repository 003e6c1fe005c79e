module gitops/tools/http-echo

go 1.27.0

tool gitops/tools/http-echo
