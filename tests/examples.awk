# SPDX-License-Identifier: ISC
#
# The examples of an mdoc page, each into a file DIR/01, DIR/02, ...
# usage: awk -v dir=DIR -f examples.awk PAGE
#
# An example is a literal display, or .Dl lines that follow one another, in the
# section EXAMPLES. What is no command line is left out: a display that begins
# with { or [ or <, and, in one that has lines with "$ ", all others but those
# that go on after "> " or a backslash.

function plain(s) {
	gsub(/\\\(aq/, "'", s)
	gsub(/\\\(dq/, "\"", s)
	gsub(/\\\(ha/, "^", s)
	gsub(/\\\(ti/, "~", s)
	gsub(/\\\(ga/, "`", s)
	gsub(/\\-/, "-", s)
	gsub(/\\&/, "", s)
	gsub(/\\[e\\]/, "\\", s)
	return s
}

function finish() {
	if (text !~ /^[[{<]/ && text != "") {
		if (prompts != "")
			text = prompts
		file = sprintf("%s/%02d", dir, ++count)
		printf "%s", text >file
		close(file)
	}
	text = prompts = ""
}

/^\.Sh / { inside = $2 == "EXAMPLES"; finish() }
!inside { next }
/^\.Dl / {
	if (display)
		next
	sub(/^\.Dl /, "")
	$0 = plain($0)
	if (sub(/^\$ /, ""))
		prompts = prompts $0 "\n"
	text = text $0 "\n"
	next
}
/^\.Bd / { finish(); display = 1; next }
/^\.Ed/ { finish(); display = 0; next }
/^\./ && !display { finish(); next }
display {
	$0 = plain($0)
	text = text $0 "\n"
	if (sub(/^\$ /, "") || prompts ~ /\\\n$/ ||
	    prompts != "" && sub(/^> /, ""))
		prompts = prompts $0 "\n"
}
END { finish() }
