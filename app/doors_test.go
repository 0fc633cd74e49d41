package app

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What comes in at a door reaches the port behind it, and a door that is not wanted any more is shut.
func TestDoors(t *testing.T) {
	behind, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer behind.Close()
	go func() {
		for {
			c, err := behind.Accept()
			if err != nil {
				return
			}
			text, _ := io.ReadAll(c)
			fmt.Fprintf(c, "heard %s", text)
			c.Close()
		}
	}()
	taken, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	port := taken.Addr().(*net.TCPAddr).Port
	taken.Close()
	d := newDoors(port, behind.Addr().String(), slog.New(slog.DiscardHandler))
	d.set([]string{"127.0.0.2", "127.0.0.3"})
	d.set([]string{"127.0.0.2"})
	defer d.set(nil)
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.2:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "hello")
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != "heard hello" {
		t.Errorf("through the door came %q, %v", got, err)
	}
	if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.3:%d", port)); err == nil {
		c.Close()
		t.Error("a door that is not wanted any more is open")
	}
	// An address that this machine does not have yet.
	d.set([]string{"127.0.0.2", "10.213.254.1"})
	if d.open["10.213.254.1"] == nil {
		t.Error("there is no door at an address that comes later")
	}
}

// Through one door lead so many connections and no more, which is said once; another door has its own, and
// one that ends makes room.
func TestCrowdedDoor(t *testing.T) {
	behind, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer behind.Close()
	go func() {
		for {
			c, err := behind.Accept()
			if err != nil {
				return
			}
			go func() {
				fmt.Fprint(c, "!")
				_, _ = io.Copy(io.Discard, c) // until the other end has closed it
				c.Close()
			}()
		}
	}()
	taken, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	port := taken.Addr().(*net.TCPAddr).Port
	taken.Close()
	var said strings.Builder
	d := newDoors(port, behind.Addr().String(), slog.New(slog.NewTextHandler(&said, nil)))
	d.most = 2
	d.set([]string{"127.0.0.2", "127.0.0.3"})
	through := func(host string) (net.Conn, bool) {
		c, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_, err = io.ReadFull(c, make([]byte, 1))
		return c, err == nil
	}
	first, ok := through("127.0.0.2")
	if _, second := through("127.0.0.2"); !ok || !second {
		t.Fatal("what the door has room for does not get through")
	}
	for range 3 {
		if _, ok := through("127.0.0.2"); ok {
			t.Error("one more than the door has room for gets through")
		}
	}
	if _, ok := through("127.0.0.3"); !ok {
		t.Error("a crowded door keeps others from another one")
	}
	first.Close()
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, ok := through("127.0.0.2"); ok {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a connection that ended makes no room")
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.set(nil)
	if n := strings.Count(said.String(), "more connections"); n != 1 {
		t.Errorf("it was said %d times: %s", n, said.String())
	}
}
