// Command pause holds a pod's namespaces: it waits to be ended, and collects the children of a pod whose containers
// share one process namespace.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

var version string

func main() {
	if len(os.Args) > 1 {
		fmt.Println("pause", version)
		return
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for collect(); <-signals == syscall.SIGCHLD; collect() {
	}
}

// One signal can stand for many children that ended.
func collect() {
	for {
		if child, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.EINTR && child <= 0 {
			return
		}
	}
}
