package podexec

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"tripod/pods/podidentity"
)

// Who may create pods in a cluster writes a pod's variables, and the command runs on the operator's machine as the
// operator: a variable that makes a program load, run or believe something else is that pod's author's code or word in
// the operator's name.
//
// A rule of what is allowed alone would be complete, and of no use: the variables that pods have are their programs'
// own, with any name. A list of what is forbidden is useful and never complete. So there is an allow rule where names
// are known, for the identity: of AWS's names and of those that lead to the cluster nothing else is taken, and only
// with the values that they have on EKS. Of the others, kinds of names are withheld rather than names: the families
// that loaders, shells, languages and tools keep for themselves, the words by which programs call such variables, and
// what is no usual name at all. What is left is the command's own configuration, and only the command knows what it
// does with that. Who does not trust a pod's author that far has --env none, which is the allow rule alone.

// identity are the names of AWS's that pods are given or keep for their own identity. What they may say is sound's to
// tell.
var identity = []string{
	"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", podidentity.CredentialsURIEnv,
	podidentity.TokenFileEnv,
	"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_STS_REGIONAL_ENDPOINTS",
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
}

// harmless are names of the families below that pods often have, and that change what is written and not what is run.
var harmless = list(`NODE_NAME NODE_IP NODE_ENV RUST_LOG RUST_BACKTRACE PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE PYTHONHASHSEED PYTHONIOENCODING PYTHONUTF8 MIX_ENV
	PHP_ENV GIT_COMMIT GIT_SHA GIT_BRANCH GIT_TAG GIT_REVISION DOCKER_IMAGE DOCKER_TAG ASPNETCORE_ENVIRONMENT ASPNETCORE_URLS DOTNET_ENVIRONMENT
	DOTNET_RUNNING_IN_CONTAINER KUBE_NAMESPACE`)

// families are beginnings of names: those of the dynamic loader and the C library, of shells, languages and their
// package managers, of compilers and build tools, of editors and terminals, of desktops, of TLS, and of clients whose
// configuration runs programs or chooses whom to believe.
var families = list(`LD_ DYLD_ _RLD RLD_ GCONV_ GLIBC_ MALLOC_ LIBC_ RESOLV_ NIX_ ASAN_ TSAN_ MSAN_ UBSAN_ LSAN_
	BASH ZSH ZDOT KSH FISH_ __FISH POSH_ PSMODULE POWERSHELL_
	PYTHON PYENV PIP_ PIPX_ PIPENV_ POETRY_ UV_ CONDA_ MAMBA_ VIRTUAL_ENV VIRTUALENV IPYTHON JUPYTER_ PERL RUBY GEM_ BUNDLE_ BUNDLER_ RBENV_ RVM_ RAKE
	NODE_ NODENV_ NVM_ NPM_ YARN_ PNPM_ COREPACK_ BUN_ DENO_ TS_NODE_ ELECTRON_ BABEL_
	JAVA_ _JAVA_ JDK_ JRE_ JVM_ MAVEN_ MVN_ GRADLE_ ANT_ SBT_ CATALINA_ SCALA_ KOTLIN_ GROOVY_ CLOJURE_ LEIN_
	DOTNET_ CORECLR_ COR_ COMPLUS_ NUGET_ MSBUILD MONO_ ASPNETCORE_ CGO_ CARGO RUST PHP COMPOSER_ LUA ERL_ ERLC_ ELIXIR_ MIX_ HEX_ REBAR R_ RSTUDIO_ JULIA_ GUILE_
	TCL OCAML OPAM GHC CABAL_ SWIFT_ FPC_ OCTAVE_ ASDF_ MISE_ SDKMAN_ HOMEBREW_
	GIT_ SSH_ SVN_ HG MAKE CMAKE_ CTEST_ NINJA_ MESON_ BAZEL CCACHE_ SCCACHE_ DISTCC_ PKG_CONFIG GCC_ CLANG_ LLVM_ LIBTOOL AUTOCONF AUTOMAKE AUTOM4TE AUTOHEADER
	ACLOCAL VIM NVIM_ EMACS GDB LLDB_ TERMINFO TMUX GREP_ RSYNC_ XDG_ DBUS_ SYSTEMD_ WAYLAND_ GTK GIO_ GDK_ GST_ QT_ QML VK_ LIBGL_ MESA_ EGL_ OCL_ SDL_
	SSL_ OPENSSL_ GNUTLS_ NSS_ PKCS11 P11_ KRB5 SASL_ GNUPG GPG_ CURL_ WGET REQUESTS_ HTTPIE_ BOTO CLOUDSDK_ GOOGLE_EXTERNAL_ GOOGLE_APPLICATION_
	KUBECTL_ KUBE_ KUBERC HELM_ KUSTOMIZE_ KREW_ K9S_ TF_ TG_ TERRAFORM_ TERRAGRUNT_ PULUMI_ ANSIBLE_ PACKER_ VAGRANT_ DOCKER_ BUILDKIT_ BUILDX_ COMPOSE_
	CONTAINERS_ PODMAN_ SAM_CLI_ CDK_ AWS_ TRIPOD_`)

// single are names that stand alone: of shells and the C library, of terminals and what shows text, of make and the
// tools that it calls, of Go's command.
var single = list(`ENV IFS SHELLOPTS PS0 PS1 PS2 PS3 PS4 CDPATH FPATH HOME SHELL USER LOGNAME PWD OLDPWD TMPDIR TMP TEMP TEMPDIR MAIL MAILCHECK VISUAL FCEDIT HISTFILE
	FIGNORE GLOBIGNORE EXECIGNORE HOSTFILE PROMPT PROMPT_COMMAND COLUMNS LINES HOSTALIASES LOCALDOMAIN TZDIR NOTIFY_SOCKET LISTEN_FDS LISTEN_PID LISTEN_FDNAMES _
	TERM TERMCAP DISPLAY XAUTHORITY LESS LESSOPEN LESSCLOSE LESSKEY LESSKEYIN LESSEDIT MORE MANOPT MANROFFOPT MANSECT PSQLRC INPUTRC SCREENRC NETRC MAILRC SYSSCREENRC
	CC CXX CPP FC CXXCPP AR AS LD NM RANLIB STRIP OBJCOPY OBJDUMP YACC LEX AWK SED INSTALL LINT TAR M4 INCLUDE ZIPOPT UNZIP GZIP BZIP BZIP2 XZ_DEFAULTS CONTAINER_HOST
	GOROOT GOPATH GOENV GOFLAGS GOBIN GOCACHE GOCACHEPROG GOMODCACHE GOTMPDIR GOWORK GODEBUG GOAUTH GOPROXY GOSUMDB GONOSUMDB GONOSUMCHECK GONOPROXY GOPRIVATE
	GOINSECURE GOVCS GOEXE GOOS GOARCH GOEXPERIMENT GOTOOLCHAIN GOTOOLDIR GOCOVERDIR GOTELEMETRY GCCGO`)

// words are what programs call variables that lead to code, options or programs, or say whom to trust, where one stands
// between underscores: PLUGIN_DIR. endings are those that are also written together with what is before them: NODEPATH,
// MAKEFLAGS.
var (
	words = list(`PATHS ARGS HOME LIB LIBS LIBRARY LIBRARIES LOADER EXEC EXECUTABLE COMMAND CMD PROGRAM BIN BINARY SCRIPT INTERPRETER SHELL DIFFTOOL MERGETOOL COMPILER
	LINKER WRAPPER TOOLCHAIN LAUNCHER PLUGIN PLUGINS MODULE MODULES EXTENSION EXTENSIONS HOOK HOOKS PROFILER JAVAAGENT INITRC RC CONFIGURATION CONF
	TRUSTSTORE KEYSTORE`)
	endings = list(`PATH FLAGS OPTS OPTIONS PRELOAD EDITOR PAGER BROWSER ASKPASS STARTUP CONFIG PROXY`)
)

// trust are pairs of words of the same kind.
var trust = []string{"CA_BUNDLE", "CA_CERT", "CA_FILE", "CERT_FILE", "CERT_DIR", "INIT_FILE", "TLS_REJECT",
	"SSL_VERIFY", "SSL_NO_VERIFY"}

func list(text string) []string { return strings.Fields(text) }

// takes says whether the command gets a variable of the pod's container. here are the variables that lead to the
// cluster from this machine, and agent is where credentials of EKS Pod Identity are.
func (p *pod) takes(name, value string, here map[string]string, agent string) bool {
	patterns := p.options.Env
	_, leadsHere := here[name]
	switch {
	case slices.Contains(patterns, EnvAll) || asked(patterns, name):
		return true
	case slices.Contains(identity, name):
		return p.sound(name, value, agent)
	}
	return !slices.Contains(patterns, EnvNone) && !leadsHere && !changesPrograms(name)
}

// asked says whether one of the patterns is the name, or its beginning where an asterisk ends it.
func asked(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		beginning, many := strings.CutSuffix(pattern, "*")
		return pattern == name || many && strings.HasPrefix(name, beginning)
	})
}

// sound says whether a variable of the identity leads where EKS's webhook has it lead: to files of the pod's own, and
// to the agent. Any other file would be one of the operator's, which an SDK sends to whom the pod's author likes.
func (p *pod) sound(name, value, agent string) bool {
	switch name {
	case podidentity.CredentialsURIEnv:
		return value == agent
	case podidentity.TokenFileEnv, "AWS_WEB_IDENTITY_TOKEN_FILE":
		if path.Clean(value) != value {
			return false
		}
		return strings.HasPrefix(value, p.local(secretsDir)+"/") || !p.options.NoMounts &&
			strings.HasPrefix(value, secretsDir+"/")
	}
	return true
}

// changesPrograms says whether a name is of a kind that changes what programs load, run or trust. Letter case does not
// count: npm_config_x, http_proxy.
func changesPrograms(name string) bool {
	if strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.')
	}) >= 0 {
		return true // a shell's exported function, or a trick
	}
	upper := strings.Map(func(r rune) rune {
		if r == '-' || r == '.' { // some languages' runtimes take them for underscores
			return '_'
		}
		return r
	}, strings.ToUpper(name))
	if slices.Contains(harmless, upper) {
		return false
	}
	if slices.Contains(single, upper) || slices.ContainsFunc(families,
		func(family string) bool { return strings.HasPrefix(upper, family) }) {
		return true
	}
	if slices.ContainsFunc(trust, func(pair string) bool { return strings.Contains("_"+upper+"_", "_"+pair) }) {
		return true
	}
	for part := range strings.SplitSeq(upper, "_") {
		if slices.Contains(words, part) || slices.ContainsFunc(endings,
			func(ending string) bool { return strings.HasSuffix(part, ending) }) {
			return true
		}
	}
	return false
}

// mostNamed is how many variables the line on stderr names.
const mostNamed = 20

// tellWithheld names what the command did not get, in one line.
func tellWithheld(w io.Writer, names []string) {
	if len(names) == 0 || w == nil {
		return
	}
	slices.Sort(names)
	named := make([]string, 0, mostNamed+1)
	for _, name := range names[:min(len(names), mostNamed)] {
		if quoted := fmt.Sprintf("%q", name); quoted != `"`+name+`"` || strings.Contains(name, " ") {
			name = quoted // a terminal's control characters, or a name that would look like two
		}
		named = append(named, name)
	}
	if more := len(names) - mostNamed; more > 0 {
		named = append(named, fmt.Sprintf("and %d more", more))
	}
	fmt.Fprintf(w, "withheld from the command, since the pod's author would choose what runs here: %s (--env NAME or "+
		"--env all takes them)\n", strings.Join(named, ", "))
}
