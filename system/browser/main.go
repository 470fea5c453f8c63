// Command browser has a headless Chromium load a page again and again until its standard input ends: once as a user who
// loads it again where it has not come, and once as one who does not. Each load is a line: who, and ok or what was wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	patience = 20 * time.Second // of a user
	pause    = 50 * time.Millisecond
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: browser CHROMIUM URL PATH")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "browser:", err)
		os.Exit(1)
	}
}

func run(program, url, path string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("no-proxy-server", true), chromedp.Flag("disable-dev-shm-usage", true))
	allocated, end := chromedp.NewExecAllocator(ctx, options...)
	defer end()
	first, closeFirst := chromedp.NewContext(allocated)
	defer closeFirst()
	if _, err := chromedp.Run(first, chromedp.Navigate("about:blank")); err != nil { // starts the browser
		return err
	}
	second, closeSecond := chromedp.NewContext(first)
	defer closeSecond()
	if _, err := chromedp.Run(second, chromedp.Navigate("about:blank")); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(io.Discard, os.Stdin)
	}()
	var wait sync.WaitGroup
	var lines sync.Mutex
	visit := func(who string, tab context.Context, attempts int) {
		for {
			var err error
			for range attempts {
				if err = load(tab, url, path); err == nil {
					break
				}
			}
			lines.Lock()
			if err == nil {
				fmt.Println(who, "ok")
			} else {
				fmt.Printf("%s failed: %q\n", who, err.Error())
			}
			lines.Unlock()
			select {
			case <-done:
				return
			case <-time.After(pause):
			}
		}
	}
	wait.Go(func() { visit("patient", first, 2) })
	wait.Go(func() { visit("plain", second, 1) })
	wait.Wait()
	return nil
}

// load loads the page, and from it what is at the path.
func load(tab context.Context, url, path string) error {
	ctx, cancel := context.WithTimeout(tab, patience)
	defer cancel()
	response, err := chromedp.Run(ctx, chromedp.NavigateResponse(url))
	switch {
	case err != nil:
		return err
	case response == nil || response.Status != 200:
		return fmt.Errorf("the page is answered with %+v", response)
	}
	said, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(
		`fetch(%q, {cache: "no-store"}).then(r => r.ok ? r.text() : Promise.reject(new Error("status " + r.status)))`, path),
		chromedp.EvalAwaitPromise))
	if err == nil && said == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
