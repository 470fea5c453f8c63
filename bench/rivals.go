package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// rival is a program of the system's packages that is a proxy before the same target.
type rival struct {
	command *exec.Cmd
	address string
	done    chan struct{}
	log     string // a file
}

// nginxConfig has nginx be a proxy as its documentation has one for kept connections, with as many workers as processors.
const nginxConfig = `daemon off;
worker_processes auto;
pid %[1]s/nginx.pid;
error_log stderr;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  keepalive_requests 1000000000;
  upstream targets { server 127.0.0.1:%[3]d; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:%[2]d;
    location / {
      proxy_pass http://targets;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
`

// haproxyConfig has HAProxy carry connections, with as many threads as processors, which is its default.
const haproxyConfig = `global
  maxconn 8192
defaults
  mode tcp
  timeout connect 5s
  timeout client 350s
  timeout server 350s
frontend clients
  bind 127.0.0.1:%[2]d
  default_backend targets
backend targets
  server one 127.0.0.1:%[3]d
`

// startRival starts nginx or haproxy before a target; nil: it is not installed here.
func (b *bench) startRival(ctx context.Context, name string, t *pageServer) (*rival, error) {
	program, err := exec.LookPath(name)
	if err != nil {
		if program = "/usr/sbin/" + name; !isFile(program) { // which not every user's path has
			b.say("%s is not installed: nothing to compare with (Debian: apt-get install %s)", name, name)
			return nil, nil
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.scratch, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, name+".conf")
	text, args := nginxConfig, []string{"-p", dir, "-c", config}
	if name == "haproxy" {
		text, args = haproxyConfig, []string{"-db", "-f", config}
	}
	if err := os.WriteFile(config, fmt.Appendf(nil, text, dir, port, t.port()), 0o600); err != nil {
		return nil, err
	}
	r := &rival{command: exec.Command(program, args...), address: fmt.Sprintf("127.0.0.1:%d", port), done: make(chan struct{}),
		log: filepath.Join(dir, "log")}
	output, err := os.Create(r.log)
	if err != nil {
		return nil, err
	}
	defer output.Close() // the child has its own
	r.command.Stdout, r.command.Stderr = output, output
	if err := r.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(r.done)
		_ = r.command.Wait() // how it ended is in its log
	}()
	_, err = until(ctx, 10*time.Second, name, func() error {
		conn, err := net.Dial("tcp", r.address)
		if err == nil {
			conn.Close()
		}
		return err
	})
	if err != nil {
		r.close()
		said, _ := os.ReadFile(r.log)
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(string(said)))
	}
	return r, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func (r *rival) close() {
	_ = r.command.Process.Signal(os.Interrupt) // both end at once by it
	select {
	case <-r.done:
	case <-time.After(10 * time.Second):
		_ = r.command.Process.Kill()
		<-r.done
	}
}
