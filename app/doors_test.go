package app

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
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
