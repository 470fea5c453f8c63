package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// AWS Emulator is AWS's own emulator. As its user guide says (cli-reference, point-sdk-to-emulator), it serves HTTPS on
// one port of 127.0.0.1 and at each start makes keys and a certificate anew, in a directory of ~/.aws/emulator that is
// named for the port. Started with --auth off it takes any signature and writes no keys.
const (
	// AWSEmulatorAccount is the account of everything in it.
	AWSEmulatorAccount = "000000000000"

	awsEmulator        = "aws-emulator"
	awsEmulatorPort    = "9297" // the default
	awsEmulatorCA      = "ca.pem"
	awsEmulatorKeys    = "emulator_credentials"
	mostIdentityBytes  = 1 << 20
	awsEmulatorAddress = "127.0.0.1"
)

// IsAWSEmulator says whether the --upstream flag means AWS Emulator: aws-emulator or aws-emulator:PORT.
func IsAWSEmulator(text string) bool {
	text = strings.TrimSpace(text)
	return text == awsEmulator || strings.HasPrefix(text, awsEmulator+":") && !strings.HasPrefix(text, awsEmulator+"://")
}

// FindAWSEmulator finds the running AWS Emulator that text means, for which IsAWSEmulator holds, by its files below
// home. The URL is one that ParseUpstream reads; it holds the address and the directory of the files and no key. The
// error is one sentence that says what to do.
func FindAWSEmulator(ctx context.Context, text, home string) (*url.URL, error) {
	_, port, given := strings.Cut(strings.TrimSpace(text), ":")
	if home == "" {
		return nil, errors.New("--upstream aws-emulator looks for files in the home directory, but HOME is not set: set " +
			"it, or give a URL")
	}
	root := filepath.Join(home, ".aws", "emulator")
	if given {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("--upstream aws-emulator:%s has no port: give aws-emulator:%s, or aws-emulator alone "+
				"where only one runs",
				port, awsEmulatorPort)
		}
	}
	ports, err := awsEmulatorPorts(root)
	if err != nil {
		return nil, err
	}
	if given && !slices.Contains(ports, port) {
		return nil, fmt.Errorf("AWS Emulator has no files for port %s in %s%s: start it with 'aws-emulator --port %s'",
			port, root, others(ports), port)
	}
	running := slices.DeleteFunc(slices.Clone(ports),
		func(p string) bool { return given && p != port || !answers(ctx, p) })
	switch {
	case len(running) == 0:
		return nil, fmt.Errorf("AWS Emulator does not run: it has left files in %s%s, but nothing answers on %s: start "+
			"it with 'aws-emulator'",
			root, others(ports), awsEmulatorAddress)
	case len(running) > 1:
		return nil, fmt.Errorf("AWS Emulator runs on several ports (%s): say which one, as --upstream aws-emulator:%s",
			strings.Join(running, ", "), running[0])
	}
	found := &emulatorFiles{address: net.JoinHostPort(awsEmulatorAddress, running[0]),
		dir: filepath.Join(root, running[0])}
	identity, err := found.read()
	if err != nil {
		return nil, err
	}
	if err := found.shake(ctx, identity); err != nil {
		return nil, err
	}
	return &url.URL{Scheme: awsEmulator, Host: found.address, Path: found.dir}, nil
}

// awsEmulatorPorts are the ports for which an emulator has written files.
func awsEmulatorPorts(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the files of AWS Emulator in %s cannot be read (%w): let this user read them", root,
			cause(err))
	}
	var ports []int
	for _, entry := range entries {
		if n, err := strconv.ParseUint(entry.Name(), 10, 16); err == nil && n > 0 && entry.IsDir() {
			ports = append(ports, int(n))
		}
	}
	if len(ports) == 0 {
		return nil, fmt.Errorf("AWS Emulator is not there: it has no files in %s; start it with 'aws-emulator', in a "+
			"container with that directory mounted", root)
	}
	slices.Sort(ports)
	var names []string
	for _, n := range ports {
		names = append(names, strconv.Itoa(n))
	}
	return names, nil
}

func others(ports []string) string { return " (ports " + strings.Join(ports, ", ") + ")" }

// answers says whether anything listens on a port of this machine.
func answers(ctx context.Context, port string) bool {
	dialer := net.Dialer{Timeout: connectTimeout}
	connection, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(awsEmulatorAddress, port))
	if err != nil {
		return false
	}
	connection.Close()
	return true
}

// emulatorFiles are those that one AWS Emulator keeps. Another start of it writes them anew, and they are read anew
// then.
type emulatorFiles struct {
	address string // 127.0.0.1:9297
	dir     string

	mu      sync.Mutex
	stamp   string // of the files that current was read from
	current identity
}

// identity is what it takes to call an emulator.
type identity struct {
	credentials aws.Credentials
	roots       *x509.CertPool // whom its certificate comes from
}

// latest is the identity that the files hold now. fresh says that it differs from that of the call before.
func (f *emulatorFiles) latest() (current identity, fresh bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	stamp := f.stampNow()
	if stamp == f.stamp {
		return f.current, false, nil
	}
	if current, err = f.read(); err != nil {
		return identity{}, false, err
	}
	f.current, f.stamp = current, stamp
	return current, true, nil
}

// stampNow tells one state of the files from another. It is taken before they are read: what is written meanwhile is
// seen at the next call.
func (f *emulatorFiles) stampNow() string {
	stamp := ""
	for _, name := range []string{awsEmulatorCA, awsEmulatorKeys} {
		if info, err := os.Stat(filepath.Join(f.dir, name)); err == nil {
			stamp += fmt.Sprint(info.ModTime().UnixNano(), info.Size(), " ")
		} else {
			stamp += err.Error()
		}
	}
	return stamp
}

// read reads the files. Its errors hold no keys.
func (f *emulatorFiles) read() (identity, error) {
	path := filepath.Join(f.dir, awsEmulatorCA)
	text, err := readSmall(path)
	if err != nil {
		return identity{}, fmt.Errorf("the certificate of AWS Emulator, %s, cannot be read (%w): start the emulator anew "+
			"as this user", path, cause(err))
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return identity{}, fmt.Errorf("the certificate of AWS Emulator, %s, is not in PEM form: start the emulator anew",
			path)
	}
	credentials, err := f.readKeys()
	return identity{credentials, roots}, err
}

// readKeys reads the keys, an AWS shared credentials file. An emulator that takes any signature has none.
func (f *emulatorFiles) readKeys() (aws.Credentials, error) {
	path := filepath.Join(f.dir, awsEmulatorKeys)
	text, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return anyCredentials, nil
	}
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("the keys of AWS Emulator, %s, cannot be read (%w): start Tripod as the "+
			"user that runs the emulator", path, cause(err))
	}
	credentials := parseCredentials(string(text))
	if credentials.AccessKeyID == "" || credentials.SecretAccessKey == "" {
		return aws.Credentials{}, fmt.Errorf("the keys of AWS Emulator, %s, have no aws_access_key_id and "+
			"aws_secret_access_key: start the emulator anew", path)
	}
	return credentials, nil
}

// parseCredentials reads the first profile of an AWS shared credentials file that has both keys.
func parseCredentials(text string) aws.Credentials {
	var found aws.Credentials
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			if found.AccessKeyID != "" && found.SecretAccessKey != "" {
				return found
			}
			found = aws.Credentials{}
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "aws_access_key_id":
			found.AccessKeyID = value
		case "aws_secret_access_key":
			found.SecretAccessKey = value
		case "aws_session_token":
			found.SessionToken = value
		}
	}
	return found
}

// readSmall reads a regular file.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a file")
	case info.Size() > mostIdentityBytes:
		return nil, errors.New("it is too long")
	}
	return os.ReadFile(path)
}

// shake tries whether what answers is the emulator of these files.
func (f *emulatorFiles) shake(ctx context.Context, id identity) error {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: connectTimeout}, Config: f.tlsConfig(id)}
	ctx, cancel := context.WithTimeout(ctx, 2*connectTimeout)
	defer cancel()
	connection, err := dialer.DialContext(ctx, "tcp", f.address)
	if err != nil {
		return fmt.Errorf("what answers on %s is not the AWS Emulator whose certificate is in %s (%w): start the "+
			"emulator anew, or name another port",
			f.address, f.dir, cause(err))
	}
	return connection.Close()
}

// tlsConfig trusts the emulator's own authority and no other.
func (f *emulatorFiles) tlsConfig(id identity) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: id.roots, ServerName: awsEmulatorAddress, Time: time.Now}
}

// cause drops the operation and the path that os and net put before an error.
func cause(err error) error {
	var path *fs.PathError
	var operation *net.OpError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &operation):
		return operation.Err
	}
	return err
}
