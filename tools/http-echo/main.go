// http-echo answers every request with one text, as hashicorp/http-echo does with the same arguments. It stands in for
// services that are not written yet.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

var version string // set by the linker

func main() {
	listen := flag.String("listen", ":5678", "address to listen on")
	text := flag.String("text", "", "what every answer says")
	asked := flag.Bool("version", false, "print the version and end")
	flag.Parse()
	if *asked {
		fmt.Println(version)
		return
	}
	if err := serve(*listen, *text); err != nil {
		fmt.Fprintln(os.Stderr, "http-echo:", err)
		os.Exit(1)
	}
}

// serve answers until the process is asked to end, and then finishes what it has begun.
func serve(address, text string) error {
	ending, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	server := &http.Server{
		Addr:              address,
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
			writer.Header().Set("Content-Type", "text/plain; charset=utf-8")
			io.WriteString(writer, text+"\n")
		}),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ending.Done():
	}
	// Shorter than the 30 seconds that Kubernetes waits by default.
	patience, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := server.Shutdown(patience); err != nil {
		return err
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
