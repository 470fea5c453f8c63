package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"tripod/internal/datadir"
)

const profileName = "tripod"

// writeProfile puts the profile tripod into the aws CLI's two files and leaves everything else in them as it was.
func (a *app) writeProfile() error {
	marker, credentials, err := datadir.Load(a.dataDir)
	if err != nil {
		return err
	}
	configPath, credentialsPath, err := a.awsFiles()
	if err != nil {
		return err
	}
	config, err := readIfThere(configPath)
	if err != nil {
		return err
	}
	secrets, err := readIfThere(credentialsPath)
	if err != nil {
		return err
	}
	section := "profile " + profileName
	if foreignProfile(config, section) || (config == "" || findSection(config, section) == nil) &&
		findSection(secrets, profileName) != nil {
		return fmt.Errorf("%s or %s already has a profile %q that does not lead to a Tripod region: rename it, and try again",
			configPath, credentialsPath, profileName)
	}
	config = setSection(config, section, [][2]string{
		{"region", marker.Region}, {"endpoint_url", marker.Endpoint()},
		{"ca_bundle", filepath.Join(a.dataDir, "pki", "region-ca.crt")},
	})
	secrets = setSection(secrets, profileName, [][2]string{
		{"aws_access_key_id", credentials.AccessKeyID}, {"aws_secret_access_key", credentials.SecretAccessKey},
	})
	// The config first: it is what says that the profile is Tripod's, should the second write fail.
	if err := replaceFile(configPath, config); err != nil {
		return err
	}
	if err := replaceFile(credentialsPath, secrets); err != nil {
		return err
	}
	fmt.Fprintf(a.Stdout, "wrote the profile %s to %s and %s: use it with AWS_PROFILE=%s\n", profileName, configPath,
		credentialsPath, profileName)
	return nil
}

func (a *app) awsFiles() (config, credentials string, err error) {
	config, credentials = a.getenv("AWS_CONFIG_FILE"), a.getenv("AWS_SHARED_CREDENTIALS_FILE")
	home := a.getenv("HOME")
	if (config == "" || credentials == "") && home == "" {
		return "", "", errors.New("HOME is not set: set it, or AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE")
	}
	expand := func(path, otherwise string) string {
		switch {
		case path == "":
			return filepath.Join(home, ".aws", otherwise)
		case strings.HasPrefix(path, "~/"):
			return filepath.Join(home, path[2:])
		default:
			return path
		}
	}
	return expand(config, "config"), expand(credentials, "credentials"), nil
}

func readIfThere(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot read the aws CLI's file: %w", err)
	}
	return string(data), nil
}

var sectionHeader = regexp.MustCompile(`^\s*\[\s*(.*?)\s*\]`)

// findSection returns the numbers of a section's header line and of the line after its last, or nil.
func findSection(text, name string) []int {
	lines := strings.Split(text, "\n")
	begin := -1
	for i, line := range lines {
		match := sectionHeader.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		if begin >= 0 {
			return []int{begin, i}
		}
		if strings.Join(strings.Fields(strings.ReplaceAll(match[1], `"`, "")), " ") == name {
			begin = i
		}
	}
	if begin < 0 {
		return nil
	}
	return []int{begin, len(lines)}
}

var loopbackEndpoint = regexp.MustCompile(`^endpoint_url\s*=\s*https?://(127\.0\.0\.1|localhost)[:/]`)

// foreignProfile says whether the section is there and somebody else's: Tripod's own has an endpoint on this machine.
func foreignProfile(text, section string) bool {
	place := findSection(text, section)
	if place == nil {
		return false
	}
	for _, line := range strings.Split(text, "\n")[place[0]:place[1]] {
		if loopbackEndpoint.MatchString(line) {
			return false
		}
	}
	return true
}

// setSection sets keys in a section and leaves every other line of text as it was.
func setSection(text, name string, values [][2]string) string {
	place := findSection(text, name)
	if place == nil {
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		if text != "" {
			text += "\n"
		}
		text += "[" + name + "]\n"
		for _, value := range values {
			text += value[0] + " = " + value[1] + "\n"
		}
		return text
	}
	lines := strings.Split(text, "\n")
	result := append([]string(nil), lines[:place[0]+1]...)
	for _, value := range values {
		result = append(result, value[0]+" = "+value[1])
	}
	for _, line := range lines[place[0]+1 : place[1]] {
		key, _, _ := strings.Cut(line, "=")
		ours := false
		for _, value := range values {
			ours = ours || strings.TrimSpace(key) == value[0] && !strings.HasPrefix(line, " ")
		}
		if !ours {
			result = append(result, line)
		}
	}
	return strings.Join(append(result, lines[place[1]:]...), "\n")
}

// replaceFile writes a file of which nobody ever sees a half, 0600, through a symbolic link where path is one.
func replaceFile(path, text string) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the aws CLI's directory: %w", err)
	}
	file, err := os.CreateTemp(dir, ".tripod-*") // 0600 by itself
	if err != nil {
		return fmt.Errorf("cannot write beside %s: %w", path, err)
	}
	_, err = file.WriteString(text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}
