// Command miniredis is the cache that Argo CD asks for, where no Redis is installed: the server in memory that Argo CD's
// own tests use, at the version of Argo CD's go.mod.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
)

func main() {
	if len(os.Args) != 2 || os.Args[1] == "--help" {
		fmt.Fprintln(os.Stderr, "usage: miniredis ADDRESS:PORT, or --version")
		os.Exit(2)
	}
	if os.Args[1] == "--version" {
		fmt.Println(version())
		return
	}
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	defer server.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	// Keys expire only as far as this clock is moved.
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			server.FastForward(time.Second)
		case <-stop:
			return
		}
	}
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/alicebob/miniredis/v2" {
			return module.Version
		}
	}
	return "unknown"
}
