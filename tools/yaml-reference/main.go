// yaml-reference says how Kubernetes reads YAML: texts on standard input, each ended by a NUL byte, become one line of
// JSON each on standard output, {"json": …} or {"error": …}, by the very library that the API machinery reads
// manifests with.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"sigs.k8s.io/yaml"
)

// version of the library, which is the version of this program.
func version(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == path {
				return module.Version
			}
		}
	}
	return "unknown"
}

type answer struct {
	JSON  json.RawMessage `json:"json,omitempty"`
	Error string          `json:"error,omitempty"`
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println(version("sigs.k8s.io/yaml"))
		return
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()
	encoder := json.NewEncoder(output)
	encoder.SetEscapeHTML(false)
	for _, text := range bytes.Split(bytes.TrimSuffix(input, []byte{0}), []byte{0}) {
		var said answer
		if converted, err := yaml.YAMLToJSON(text); err != nil {
			said.Error = err.Error()
		} else {
			said.JSON = converted
		}
		if err := encoder.Encode(said); err != nil {
			panic(err)
		}
	}
}
