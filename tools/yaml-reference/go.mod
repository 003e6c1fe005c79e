module gitops/tools/yaml-reference

go 1.27.0

tool gitops/tools/yaml-reference

require sigs.k8s.io/yaml v1.6.0

require go.yaml.in/yaml/v2 v2.4.2 // indirect
