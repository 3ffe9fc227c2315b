# Begins the installer at the terminal that the boot menu meant; whoever leaves it has a shell.
case " $(cat /proc/cmdline) " in
*" debvisor.install=screen "*) installer_at=/dev/tty1 ;;
*" debvisor.install=serial "*) installer_at=/dev/ttyS0 ;;
*) installer_at=none ;;
esac
if [ "$(tty)" = "$installer_at" ]; then debvisor-installer; fi
unset installer_at
