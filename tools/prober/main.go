// Command prober tries to reach addresses from where it runs, all at once, and prints one line for each, in the order
// given: the target, a tab and the result.
//
//	prober [-timeout 1s] tcp/10.0.0.1:80 udp/10.96.0.10:53 tcp/[fd00::1]:5432
//
// A target is a protocol, an address and a port; no name is looked up, since what is proven is the way of a packet.
// Results: "open" (a connection was made, or an answer came), "refused" (the target has no such port), "silent" (no
// answer within the timeout, as behind a policy that drops), or "error: ..." for anything that says nothing about the
// target. The exit code is 0 unless the arguments cannot be understood: a silent target is an answer.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

var version string

// A DNS query for the root's name servers: what is sent to a port of UDP, where only an answer proves that it is open.
var query = []byte{0x67, 0x6f, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1}

type target struct {
	network string
	address netip.AddrPort
}

func main() {
	timeout := flag.Duration("timeout", time.Second, "how long to wait for each target")
	asked := flag.Bool("version", false, "print the version")
	flag.Parse()
	if *asked {
		fmt.Println("prober", version)
		return
	}
	targets := make([]target, flag.NArg())
	for i, argument := range flag.Args() {
		one, err := parse(argument)
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(2)
		}
		targets[i] = one
	}
	results := make([]string, len(targets))
	var running sync.WaitGroup
	for i, one := range targets {
		running.Go(func() { results[i] = one.probe(*timeout) })
	}
	running.Wait()
	for i, result := range results {
		fmt.Printf("%s\t%s\n", flag.Arg(i), result)
	}
}

func parse(argument string) (target, error) {
	network, rest, _ := strings.Cut(argument, "/")
	address, err := netip.ParseAddrPort(rest)
	if (network != "tcp" && network != "udp") || err != nil {
		return target{}, fmt.Errorf("%q is not tcp/ADDRESS:PORT or udp/ADDRESS:PORT", argument)
	}
	return target{network, address}, nil
}

func (t target) probe(timeout time.Duration) string {
	deadline := time.Now().Add(timeout)
	connection, err := (&net.Dialer{Deadline: deadline}).Dial(t.network, t.address.String())
	if err != nil {
		return describe(err)
	}
	defer connection.Close()
	if t.network == "udp" {
		err = exchange(connection, deadline)
	}
	return describe(err)
}

// UDP has no connection: refused is what the kernel reports after the packet, and a lost packet is sent again.
func exchange(connection net.Conn, deadline time.Time) error {
	answer := make([]byte, 512)
	wait := time.Until(deadline) / 3
	for {
		if _, err := connection.Write(query); err != nil {
			return err
		}
		until := time.Now().Add(wait)
		if until.After(deadline) {
			until = deadline
		}
		if err := connection.SetReadDeadline(until); err != nil {
			return err
		}
		_, err := connection.Read(answer)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(deadline) {
			return err
		}
	}
}

func describe(err error) string {
	var timeout net.Error
	switch {
	case err == nil:
		return "open"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "silent"
	default:
		return "error: " + err.Error()
	}
}
